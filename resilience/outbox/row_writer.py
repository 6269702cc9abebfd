"""Changes the rows of an outbox file in a thread of its own, all that wait at that moment in one transaction.

So many orders share one sync of the disk, an event loop never waits for one, and no signal handler runs in the middle
of a transaction: handlers run in the main thread. Steps are made in the order in which they were given. Those that
need not survive a power cut are committed without a sync; the next sync covers them, because the log of the file is
synced as a whole.

Once the thread has ended, as at the end of the process, the caller makes the step itself.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread, current_thread
from typing import Any, Generic, Protocol, TypeVar
from weakref import finalize

from .._drivers.thread_waits import wait_for_thread

__all__ = ["RowWriter", "Transactions"]

T = TypeVar("T")
_LARGEST = 256  # steps in one transaction
_LAST_WAIT = 10.0  # seconds for the thread to end, at the end of the process


class Transactions(Protocol):
    """Makes steps on the file. Used by one thread at a time."""

    def check_owner(self) -> None:
        """Raise an `OSError` if this process may not use the file."""

    def make(self, steps: list[Callable[[], Any]], *, durable: bool) -> list[Any]:
        """Make each step, in one transaction if possible; return for each its result, or a `StepError`."""


class StepError:
    """What a step has raised."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Ticket(Generic[T]):
    """A step that waits for its turn, and its outcome."""

    __slots__ = ("_done", "_outcome", "_wake", "durable", "step")

    def __init__(self, step: Callable[[], T], *, durable: bool) -> None:
        self.step = step
        self.durable = durable
        self._outcome: Any = None
        self._wake: Callable[[], None] | None = None
        self._done = allocate_lock()  # a plain lock: a signal handler may interrupt who waits for it
        self._done.acquire()

    def settle(self, outcome: Any) -> None:
        self._outcome = outcome
        self._done.release()
        wake = self._wake
        if wake is not None:
            wake()

    def wait(self) -> T:
        with self._done:
            return self._result()

    async def wait_async(self) -> tuple[T, BaseException | None]:
        """Return the result, and the cancellation of the task that arrived meanwhile; it outranks an error."""
        cancellation = await wait_for_thread(self._register)
        try:
            return self._result(), cancellation
        except Exception:
            if cancellation is None:
                raise
            raise cancellation from None
        finally:
            cancellation = None  # a cycle else

    def _register(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        if not self._done.locked():  # settled before it was set; to be woken twice is harmless
            wake()

    def _result(self) -> T:
        outcome, self._outcome = self._outcome, None
        if not isinstance(outcome, StepError):
            return outcome  # type: ignore[no-any-return]  # what the step has returned
        try:
            raise outcome.error
        finally:
            outcome = None  # a cycle else: error, traceback, this frame


class RowWriter:
    """The thread that uses one file. Safe across threads and in signal handlers; a forked child cannot use it.

    It takes no lock: what a signal handler raises could leave one taken.
    """

    def __init__(self, file: Transactions) -> None:
        self._file = file
        self._tickets = _Tickets(file)
        self._thread = Thread(target=self._tickets.serve, name="resilience-outbox", daemon=True)
        self._finalizer = finalize(
            self, _end, self._tickets, self._thread, os.getpid()
        )  # also at the end of the process
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter ends, or the system has no thread left
            self._tickets.has_ended = True

    def run(self, step: Callable[[], T], *, durable: bool = False) -> T:
        """Return what a step returns once it is committed, and on disk where it is `durable`."""
        self._file.check_owner()
        if current_thread() is self._thread:
            return step()  # part of the transaction under way
        ticket = _Ticket(step, durable=durable)
        self._tickets.add(ticket)
        return ticket.wait()

    async def run_async(self, step: Callable[[], T], *, durable: bool) -> tuple[T, BaseException | None]:
        """Do as `run`; other tasks run meanwhile.

        Returns:
            The result, and the cancellation that arrived meanwhile, which the caller raises.
        """
        self._file.check_owner()
        ticket = _Ticket(step, durable=durable)
        self._tickets.add(ticket)
        return await ticket.wait_async()

    def post(self, step: Callable[[], object]) -> None:
        """Make a step that raises nothing, and do not wait for it."""
        self._tickets.add(_Ticket(step, durable=False))

    def close(self) -> None:
        """Make what waits, and end the thread."""
        self._finalizer()


class _Tickets:
    """The steps that wait, and who makes them: the thread, and once that has ended whoever adds one."""

    def __init__(self, file: Transactions) -> None:
        self._file = file
        self._queue: SimpleQueue[_Ticket[Any] | None] = SimpleQueue()
        self.has_ended = False

    def add(self, ticket: _Ticket[Any] | None) -> None:
        """Add a step; None ends the thread behind those before it."""
        self._queue.put(ticket)
        # Asked after the step is in the queue: the thread, too, looks there once more after it has set this.
        if self.has_ended or sys.is_finalizing():
            self._make_rest()

    def serve(self) -> None:
        """Make steps until the end is in the queue."""
        while (ticket := self._queue.get()) is not None:
            tickets = self._gather(ticket)
            _make_all(self._file, tickets)
            ticket = None
            tickets.clear()
        self.has_ended = True
        self._make_rest()

    def _make_rest(self) -> None:
        with suppress(Empty):
            while True:
                ticket = self._queue.get_nowait()
                if ticket is not None:
                    _make_all(self._file, [ticket])

    def _gather(self, first: _Ticket[Any]) -> list[_Ticket[Any]]:
        """Return all steps that wait, up to the end of the thread."""
        tickets = [first]
        with suppress(Empty):
            while len(tickets) < _LARGEST:
                ticket = self._queue.get_nowait()
                if ticket is None:
                    self._queue.put(None)  # what came behind it is made by `_make_rest`
                    break
                tickets.append(ticket)
        return tickets


def _end(tickets: _Tickets, thread: Thread, process: int) -> None:
    if os.getpid() != process:
        return  # a forked child has neither the thread nor the file
    tickets.add(None)
    if thread.is_alive() and thread is not current_thread():
        thread.join(_LAST_WAIT)


def _make_all(file: Transactions, tickets: list[_Ticket[Any]]) -> None:
    try:
        outcomes = file.make([ticket.step for ticket in tickets], durable=any(ticket.durable for ticket in tickets))
    except BaseException as error:  # nobody may wait for ever
        outcomes = [StepError(error)] * len(tickets)
    for ticket, outcome in zip(tickets, outcomes, strict=True):
        ticket.settle(outcome)
