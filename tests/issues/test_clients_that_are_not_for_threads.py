"""`Outbox.resume` settles writes in several threads, and yet uses a client that nobody knows from one at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from resilience import NOT_FOUND, Found, Policies, wrap
from resilience.outbox import Outbox

RULES = {
    "deadline": "60s", "attempt_timeout": "5s", "breaker": "off", "budget": "off",
    "reconcile": {"wait": "1ms", "window": "1ms", "processing": "1ms", "lag": "1ms"},
}  # fmt: skip
KEYS = [f"k{number}" for number in range(6)]


class Killed(BaseException):
    """The end of the process."""


class OneConnection:
    """A client with one connection: whoever asks meanwhile gets the answer that is on its way."""

    def __init__(self, *, has_orders: bool, dies: bool = False) -> None:
        self.has_orders = has_orders
        self.dies = dies
        self.sent: list[str | None] = []
        self.threads: set[int] = set()
        self.users = self.most = 0

    @contextmanager
    def connection(self) -> Iterator[None]:
        """Count who is in here."""
        self.users += 1
        self.most = max(self.most, self.users)
        self.threads.add(threading.get_ident())
        time.sleep(0.005)  # the other threads get here, if they may
        yield
        self.users -= 1

    def place(self, *, client_id: str | None = None) -> str:
        """Place an order."""
        with self.connection():
            self.sent.append(client_id)
        if self.dies:
            raise Killed
        return "placed"

    def look_up(self, _call: Any) -> Any:
        """Ask for an order."""
        with self.connection():
            return Found("there") if self.has_orders else NOT_FOUND


def wrapped(client: OneConnection, outbox: Outbox) -> Any:
    """Return the client with the outbox, under a policy and a real clock."""
    rules = {"place": {"key": "client_id", "reconcile": client.look_up}}
    policies = Policies.from_mapping({"policies": {"p": RULES}}, log=False)
    return wrap(client, "p", operations=rules, policies=policies, outbox=outbox)


@pytest.mark.parametrize("has_orders", [True, False])
def test_one_request_at_a_time(tmp_path: Path, has_orders: bool) -> None:
    """Crossed answers would prove that an order was not executed which was. Only the waits pass together."""
    with Outbox(tmp_path / "bot.db") as outbox:
        first = wrapped(OneConnection(has_orders=has_orders, dies=True), outbox)
        for key in KEYS:
            with pytest.raises(Killed):
                first.place(client_id=key)
        client = OneConnection(has_orders=has_orders)
        settled = outbox.resume(wrapped(client, outbox), resend=True)
    assert [(write.key, write.outcome) for write in settled] == [(key, "done") for key in KEYS]
    assert (client.most, sorted(filter(None, client.sent))) == (1, [] if has_orders else KEYS)
    assert len(client.threads) > 1
