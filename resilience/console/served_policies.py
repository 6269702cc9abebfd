"""Turns the state and the events of policies into JSON texts without secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

from .._core.base.event import Event
from .._core.base.fork_safety import new_lock
from .._core.call.late_lookup import LookupResult
from ..telemetry.plain_data import redact_all

__all__ = ["ServedPolicies", "SharedSnapshot", "event_text", "json_text"]


class ServedPolicies(Protocol):
    """What the server asks of policies; `Policies` has it."""

    def snapshot(self) -> dict[str, Any]:
        """Return all state as plain data."""

    def isolate(self, policy: str | None = None, *, reason: str = "", cancels: bool = False) -> None:
        """Let nothing of a policy be sent any more, or of all of them."""

    def release(self, policy: str | None = None, *, reason: str = "") -> int:
        """Admit calls again; returns how many isolations and holds were lifted."""

    def breakers(self, policy: str | None = None) -> tuple[Any, ...]:
        """Return the breakers of a policy."""

    def look_up(self, key: str) -> LookupResult:
        """Look up the write in doubt with this key; raises a `LookupError` where that is not possible."""

    def subscribe(self, listener: Any) -> Callable[[], None]:
        """Send every event to a function until the returned function is called."""


class SharedSnapshot:
    """The snapshot that all viewers get. It is taken at most once per interval, however many viewers there are."""

    def __init__(self, policies: ServedPolicies, interval: float) -> None:
        self._policies, self._interval = policies, interval
        self._lock = new_lock()
        self._text, self._taken_at = "", float("-inf")

    def text(self) -> str:
        """Return the snapshot as JSON; it is at most one interval old."""
        with self._lock:
            if monotonic() - self._taken_at >= self._interval:
                self._text = json_text(self._policies.snapshot())
                self._taken_at = monotonic()
            return self._text


def event_text(event: Event) -> str:
    """Return an event as JSON: its name, its level and the fields that are set."""
    return json_text({"name": event.name, "level": event.level, **event.fields()})


def json_text(value: Any) -> str:
    """Return plain data as one line of JSON in ASCII, without secrets."""
    return json.dumps(redact_all(value), default=str)
