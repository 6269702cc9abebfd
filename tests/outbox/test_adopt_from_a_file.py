"""Adopting from a file: the writes of this machine are resumed, and those of another one are refused."""

from __future__ import annotations

import asyncio
import platform
from pathlib import Path

import pytest

from resilience.outbox import Outbox
from tests.outbox.bots import Bot, Killed, wrapped


def interrupt(outbox: Outbox, key: str) -> None:
    """Place an order whose process ends when it has left."""
    with pytest.raises(Killed):
        wrapped(Bot(dies=True), outbox).place(client_id=key)


def test_the_writes_of_this_machine_are_resumed(outbox: Outbox) -> None:
    """As `resume` does: whoever has the file has its writes."""
    interrupt(outbox, "a")
    assert [(write.key, write.outcome) for write in outbox.adopt(wrapped(Bot(), outbox))] == [("a", "done")]
    with pytest.raises(Killed):
        asyncio.run(wrapped(Bot(dies=True), outbox).place_async(client_id="c"))
    assert [write.outcome for write in asyncio.run(outbox.aadopt(wrapped(Bot(), outbox)))] == ["done"]
    assert outbox.open == []


def test_the_writes_of_another_machine_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay open; `resume` settles them, for those who know that the other bot has ended."""
    with monkeypatch.context() as elsewhere, Outbox(path) as there:
        elsewhere.setattr(platform, "node", lambda: "elsewhere")
        interrupt(there, "a")
    with Outbox(path) as here:
        raw = Bot()
        (refused,) = here.adopt(wrapped(raw, here), resend=True)
        assert (refused.outcome, raw.sent) == ("unknown", [])
        assert "on the machine elsewhere" in refused.value
        assert "postgresql://" in refused.value
        assert [row.machine for row in here.open] == ["elsewhere"]
        assert [write.outcome for write in here.resume(wrapped(raw, here))] == ["done"]


def test_a_client_that_is_not_wrapped(outbox: Outbox) -> None:
    """It is refused as `resume` refuses it."""
    with pytest.raises(AttributeError, match="wrapped client"):
        outbox.adopt(Bot())


def test_an_unknown_scheme_is_no_path(path: Path) -> None:
    """The error says what is known, and does not repeat the URL."""
    with pytest.raises(ValueError, match="begins with postgresql://") as raised:
        Outbox("mysql://bot:s3cret@host/db")
    assert "s3cret" not in str(raised.value)
