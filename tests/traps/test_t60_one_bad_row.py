"""One row that cannot be resumed stops the recovery of all orders: a bot was upgraded and has renamed a method."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from resilience import Found, Policies, wrap
from resilience.outbox import Outbox

RULES: dict[str, Any] = {"*": {"key": "client_id", "reconcile": lambda call: Found(f"order {call.key}")}}
ROWS = [("buy", "a"), ("buy_at_market", "b"), ("buy", "c")]


class Killed(BaseException):
    """Simulates the end of the process."""


class OldBot:
    """The bot before the upgrade: its process ends in the middle of each order."""

    def buy(self, *, client_id: str) -> str:
        raise Killed

    def buy_at_market(self, *, client_id: str) -> str:
        raise Killed


class NewBot:
    """The bot after the upgrade, in which `buy_at_market` is gone."""

    def buy(self, *, client_id: str) -> str:
        raise AssertionError("sent again")


def test_naive() -> None:
    """A loop that calls each row's method ends where a method is gone: the rows after it are never looked up."""
    looked_up: list[str] = []

    def resume() -> None:
        for name, key in json.loads(json.dumps(ROWS)):
            getattr(NewBot(), name)
            looked_up.append(key)

    with pytest.raises(AttributeError):
        resume()
    assert looked_up == ["a"]


def test_ours(tmp_path: Path) -> None:
    """Every other order is found. The bad row is in the list with its reason, and stays in the file."""
    with Outbox(tmp_path / "bot.db") as outbox:
        old = wrap(OldBot(), policies=Policies.builtin(), operations=RULES, outbox=outbox)
        for name, key in ROWS:
            with pytest.raises(Killed):
                getattr(old, name)(client_id=key)
    with Outbox(tmp_path / "bot.db") as outbox:
        new = wrap(NewBot(), policies=Policies.builtin(), operations=RULES, outbox=outbox)
        resumed = [(write.key, write.outcome, write.value) for write in outbox.resume(new)]
        assert resumed == [
            ("a", "done", "order a"),
            ("b", "unknown_operation", "NewBot has no operation buy_at_market"),
            ("c", "done", "order c"),
        ]
        assert [row.key for row in outbox.open] == ["b"]
