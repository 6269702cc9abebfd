"""With warnings as errors, no warning of an outbox replaces a result or an error, or leaves a row in a wrong state."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from resilience.outbox import Outbox
from tests.outbox.bots import Bot, Killed, wrapped


@pytest.fixture(autouse=True)
def errors() -> Any:
    """Make every warning an error, as `python -W error` does."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def closes(outbox: Outbox, error: Exception | None = None) -> Callable[..., Any]:
    """Return a bot's method that closes the outbox under its own call, so that its end cannot be stored."""

    def place(*, client_id: str) -> str:
        outbox.close()
        if error is not None:
            raise error
        return client_id

    return place


class Closing:
    """A bot whose outbox is closed during its call."""

    def __init__(self, place: Callable[..., Any]) -> None:
        self._place = place

    def place(self, *, client_id: str) -> str:
        result: str = self._place(client_id=client_id)
        return result

    async def place_async(self, *, client_id: str) -> str:
        return self.place(client_id=client_id)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_result_reaches_the_caller(path: Path, caplog: pytest.LogCaptureFixture, asynchronous: bool) -> None:
    """The message is logged instead, and names the write that stays open; the next process finds it."""
    outbox = Outbox(path)
    client = wrapped(Closing(closes(outbox)), outbox)
    with caplog.at_level(logging.ERROR):
        result = asyncio.run(client.place_async(client_id="a")) if asynchronous else client.place(client_id="a")
    assert result == "a"
    assert [record.name for record in caplog.records] == ["resilience.outbox"]
    assert "with key a stays open" in caplog.text
    with Outbox(path) as again:
        assert [row.key for row in again.open] == ["a"]


def test_the_error_reaches_the_caller(path: Path) -> None:
    """The API's own error, and not ours."""
    outbox = Outbox(path)
    error = ConnectionRefusedError("the API's own")
    with pytest.raises(ConnectionRefusedError) as caught:
        wrapped(Closing(closes(outbox, error)), outbox).place(client_id="a")
    assert caught.value is error
    with Outbox(path) as again:
        assert [row.key for row in again.open] == ["a"]


def test_replay_of_0_1_resumes(outbox: Outbox) -> None:
    """Its deprecation warning does not keep the writes from being looked up."""
    client = wrapped(Bot(dies=True), outbox)
    with pytest.raises(Killed):
        client.place(client_id="a")
    with pytest.raises(Killed):
        asyncio.run(client.place_async(client_id="b"))

    class Sync(Bot):
        place_async = None  # type: ignore[assignment]  # an older bot has no such method

    assert [write.outcome for write in outbox.replay(wrapped(Sync(), outbox))] == ["done", "unknown_operation"]
    assert [write.outcome for write in asyncio.run(outbox.areplay(wrapped(Bot(), outbox)))] == ["done"]


def test_closing_a_locked_outbox_raises_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A block that ends well ends well."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:

        class Slow(Bot):
            def place(self, *args: Any, client_id: str = "", **more: Any) -> str:
                result = super().place(*args, client_id=client_id, **more)
                other.execute("BEGIN IMMEDIATE")
                return result

        with caplog.at_level(logging.ERROR), Outbox(path) as outbox:
            assert wrapped(Slow(), outbox).place(client_id="a") == "a"
    assert "closed with settled writes" in caplog.text
