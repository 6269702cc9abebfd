"""One thread changes an outbox file: many steps share a sync, and one that fails spoils no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resilience.outbox.file_transactions import FileTransactions
from resilience.outbox.outbox_file import OutboxFile, OutboxFileError
from resilience.outbox.row_writer import RowWriter
from resilience.outbox.unsettled_states import UnsettledStates


class CountedFile(OutboxFile):
    """A file that records its transactions: what began and ended each, and whether it is synced."""

    def __init__(self, path: Path) -> None:
        self.seen: list[str] = []
        super().__init__(path)
        self.execute("CREATE TABLE numbers (number INTEGER NOT NULL)")
        self.seen.clear()

    def execute(self, statement: str, values: Any = ()) -> Any:
        """Record the first word of the statement, or the mode of the sync."""
        self.seen.append(statement.partition("=")[2] or statement.partition(" ")[0])
        return super().execute(statement, values)


@pytest.fixture
def file(path: Path) -> Iterator[CountedFile]:
    """Open a file with a table of numbers."""
    opened = CountedFile(path)
    yield opened
    opened.close()


def writer_of(file: OutboxFile) -> RowWriter:
    """Return the writer of a file."""
    return RowWriter(FileTransactions(file, UnsettledStates(file)))


def insert(file: OutboxFile, number: object) -> Callable[[], int]:
    """Return a step that adds a number."""
    return lambda: file.execute("INSERT INTO numbers VALUES (?)", (number,))[1]


def numbers(file: OutboxFile) -> list[int]:
    """Return the numbers in the file."""
    return [number for (number,) in file.execute("SELECT number FROM numbers ORDER BY number")[0]]


def run_together(writer: RowWriter, steps: list[Callable[[], Any]], *, durable: bool = True) -> list[Any]:
    """Give steps while the thread is busy, so that it finds them all at once; return results and errors."""

    async def story() -> list[Any]:
        started, busy = threading.Event(), threading.Event()

        def wait() -> None:
            started.set()
            busy.wait()

        writer.post(wait)
        started.wait()
        waiting = [asyncio.ensure_future(writer.run_async(step, durable=durable)) for step in steps]
        await asyncio.sleep(0)
        busy.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        return [outcome[0] if isinstance(outcome, tuple) else outcome for outcome in outcomes]

    return asyncio.run(story())


def test_steps_that_wait_share_a_sync(file: CountedFile) -> None:
    """They are one transaction, which is synced if one of them needs it."""
    writer = writer_of(file)
    assert run_together(writer, [insert(file, number) for number in range(5)]) == [1] * 5
    writer.close()
    assert file.seen == ["NORMAL", "FULL", "BEGIN", *["INSERT"] * 5, "COMMIT"]
    assert numbers(file) == list(range(5))


def test_what_need_not_survive_a_power_cut_is_not_synced(file: CountedFile) -> None:
    """The mode is changed only where the last one was another."""
    writer = writer_of(file)
    for number, durable in enumerate((False, False, True, False)):
        writer.run(insert(file, number), durable=durable)
    writer.close()
    assert file.seen == ["NORMAL", "INSERT", "INSERT", "FULL", "INSERT", "NORMAL", "INSERT"]


def test_a_step_that_fails_for_the_file_fails_alone(file: CountedFile) -> None:
    """The transaction is rolled back, and each step is made by itself."""
    writer = writer_of(file)
    first, refused, last = run_together(writer, [insert(file, 1), insert(file, None), insert(file, 2)])
    writer.close()
    assert (first, last, numbers(file)) == (1, 1, [1, 2])
    assert isinstance(refused, OutboxFileError)


def test_a_step_that_fails_by_itself_stops_no_transaction(file: CountedFile) -> None:
    """A key that is taken says nothing of the file."""
    writer = writer_of(file)

    def refuse() -> None:
        raise LookupError

    outcomes = run_together(writer, [insert(file, 1), refuse, insert(file, 2)])
    writer.close()
    assert (outcomes[0], type(outcomes[1]), outcomes[2]) == (1, LookupError, 1)
    assert file.seen.count("COMMIT") == 1


def test_without_a_thread_the_caller_makes_the_step(file: CountedFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that has no thread left still records orders."""

    def refuse(_thread: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    writer = writer_of(file)
    assert writer.run(insert(file, 1), durable=True) == 1
    writer.close()
    assert writer.run(insert(file, 2)) == 1
    assert numbers(file) == [1, 2]


def test_the_thread_ends_with_its_writer(file: CountedFile) -> None:
    """An outbox that nobody closes leaves no thread behind, and what waits is made before."""
    writer = writer_of(file)
    thread = next(thread for thread in threading.enumerate() if thread.name == "resilience-outbox")
    writer.post(insert(file, 1))
    del writer
    thread.join(10)
    assert not thread.is_alive()
    assert numbers(file) == [1]
