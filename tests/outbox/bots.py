"""Provides a bot whose process ends in the middle of a write, and the rules under which it is wrapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience import NOT_FOUND, Found, Policies, current_call, wrap
from resilience.outbox import Outbox
from resilience.testing import FakeClock

STAMP = 1_700_000_000.5


class Killed(BaseException):
    """Simulates the end of the process: no error handling of ours catches it."""


class Bot:
    """Places orders: `sent` has the keys of those that left. With `dies` its process ends when one has left."""

    def __init__(self, *, dies: bool = False, before_stamp: Callable[[], None] = lambda: None) -> None:
        self.sent: list[str] = []
        self.arguments: list[tuple[Any, ...]] = []
        self._dies = dies
        self._before_stamp = before_stamp

    def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
        """Stamp and send an order; return its key."""
        call = current_call()
        assert call is not None
        self._before_stamp()
        call.stamp(call.now)
        self.sent.append(client_id)
        self.arguments.append((args, more))
        if self._dies:
            raise Killed
        return client_id

    async def place_async(self, *args: Any, client_id: str = "", **more: Any) -> str:
        """Do as `place`."""
        return self.place(*args, client_id=client_id, **more)


def found_all(_call: Any) -> Found:
    """Find every order."""
    return Found("found")


async def found_all_async(_call: Any) -> Found:
    """Find every order."""
    return Found("found")


def found_none(_call: Any) -> Any:
    """Find no order."""
    return NOT_FOUND


def wrapped(raw: Any, outbox: Outbox, *, clock: Any = None, lookup: Callable[..., Any] = found_all) -> Any:
    """Return a bot under a policy with a deadline of 90 s and an attempt timeout of 5 s, with the outbox."""
    settings = {"trade": {"extends": "default", "deadline": "90s", "attempt_timeout": "5s"}}
    policies = Policies.from_mapping({"version": 1, "policies": settings}, clock=clock or FakeClock())

    async def lookup_async(call: Any) -> Any:
        return lookup(call)

    rules: dict[str, Any] = {"place*": {"key": "client_id", "reconcile": lookup}}
    if hasattr(raw, "place_async"):
        rules = {"place_async": {"key": "client_id", "reconcile": lookup_async}, **rules}
    return wrap(raw, "trade", operations=rules, policies=policies, outbox=outbox)
