"""A signal handler that interrupts a call may use the outbox, and an interrupted call leaves no claim behind."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from linecache import getline
from pathlib import Path
from typing import Any

import pytest

from resilience import RejectedError
from resilience.outbox import Outbox
from resilience.outbox.claims import Claims
from resilience.outbox.outbox_store import NewWrite
from resilience.outbox.write_table import WriteTable
from tests.outbox.bots import Bot, wrapped

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no timer signals")


@pytest.fixture
def handler() -> Iterator[Any]:
    """Return a function that sets the handler of SIGUSR1, which is restored afterwards."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda act: signal.signal(signal.SIGUSR1, lambda *_: act())
    signal.signal(signal.SIGUSR1, before)


def lines_of(package: str) -> Any:
    """Return a trace function that raises a signal at every line of a package's code, but not within a handler.

    Left out are the lines `try:` and, at its end, `with`: no signal is handled there without a trace function, and what
    a handler raises there would leave a lock taken.
    """
    busy = [False]

    def trace(frame: Any, event: str, _argument: object) -> Any:
        if package not in frame.f_code.co_filename:
            return trace if event == "call" else None
        begun = set[int]()

        def trace_lines(frame: Any, event: str, _argument: object) -> Any:
            line = getline(frame.f_code.co_filename, frame.f_lineno).strip()
            is_left_out = line == "try:" or (line.startswith("with ") and frame.f_lineno in begun)
            begun.add(frame.f_lineno)
            if event == "line" and not busy[0] and not is_left_out:
                busy[0] = True
                try:
                    os.kill(os.getpid(), signal.SIGUSR1)
                finally:
                    busy[0] = False
            return trace_lines

        return trace_lines

    return trace


@pytest.mark.slow
def test_a_handler_places_an_order_at_every_line(outbox: Outbox, handler: Any) -> None:
    """It returns each time, whatever lock or row the interrupted call was at."""
    bot = Bot()
    client = wrapped(bot, outbox)
    client.place(client_id="warm")
    placed: list[str] = []

    def place_another() -> None:
        placed.append(client.place(client_id=f"handler-{len(placed)}"))

    handler(place_another)
    before = sys.gettrace()
    sys.settrace(lines_of(os.path.join("resilience", "outbox")))
    try:
        client.place(client_id="main")
    finally:
        sys.settrace(before)
    assert len(placed) > 50
    assert {row.key for row in outbox.rows("done")} == {"warm", "main", *placed}
    assert outbox.open == []


class Interrupted(BaseException):
    """What a handler raises, as Ctrl-C does."""


def test_an_interrupt_at_any_line_leaves_no_claim(outbox: Outbox, handler: Any) -> None:
    """The write is settled, or open and resumed by the same process; its key is never "in progress" for ever."""
    bot = Bot()
    client = wrapped(bot, outbox)
    client.place(client_id="warm")
    at, seen = [0], [0]

    def interrupt() -> None:
        seen[0] += 1
        if seen[0] == at[0]:
            raise Interrupted

    handler(interrupt)
    before = sys.gettrace()
    interrupted = 0
    for number in range(1, 400):
        at[0], seen[0] = number, 0
        sys.settrace(lines_of(os.path.join("resilience", "outbox")))
        try:
            client.place(client_id=str(number))
        except Interrupted:
            interrupted += 1
        finally:
            sys.settrace(before)
        if seen[0] < number:
            break
    assert interrupted > 50
    open_keys = {row.key for row in outbox.open}
    resumed = outbox.resume(client)
    assert {write.key: write.outcome for write in resumed} == dict.fromkeys(open_keys, "done")
    assert outbox.open == []
    for key in bot.sent:
        with pytest.raises(RejectedError, match="executed already"):
            client.place(client_id=key)


def test_an_interrupt_while_the_file_is_asked_for_leaves_no_transaction(path: Path, handler: Any) -> None:
    """Rows after it are on disk at once: a restarted bot finds an order that was sent."""
    table = WriteTable(path)
    at, seen = [0], [0]

    def interrupt() -> None:
        seen[0] += 1
        if seen[0] == at[0]:
            raise Interrupted

    handler(interrupt)
    before = sys.gettrace()
    with closing(sqlite3.connect(path)) as reader:
        while seen[0] >= at[0]:
            at[0], seen[0] = at[0] + 1, 0
            sys.settrace(lines_of(os.path.join("resilience", "outbox")))
            try:
                table.check_writable()
            except Interrupted:
                pass
            finally:
                sys.settrace(before)
            assert table.add(NewWrite(str(at[0]), "place", "[[], {}]"))
            assert reader.execute("SELECT count(*) FROM writes").fetchone() == (at[0],)
    table.close()
    assert at[0] > 10


def test_a_claim_ends_with_what_holds_it() -> None:
    """A claim that is lost is free; one that is held is not, and only its holder gives it back."""
    claims = Claims()
    claim = claims.take("a", "place")
    assert claim is not None
    assert claims.take("a", "place") is None
    del claim
    again = claims.take("a", "place")
    assert again is not None
    claims.release(again)
    later = claims.take("a", "place")
    claims.release(again)
    assert later is not None
    assert claims.take("a", "place") is None
