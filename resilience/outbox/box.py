"""The outbox of a client: keyed writes are recorded before they are sent, and found again after a restart.

The law of this file: a row is on disk before anything of its write leaves, and so is each stamp. It
is settled only by a result or by proof that nothing happened; whatever is in doubt stays open, and a
replay looks it up by the same rule as a call that never stopped.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import replace
from functools import wraps
from threading import Lock
from time import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import uuid4

from .._core.deadline import current_call
from .._core.keys import KeySlot
from .._core.plan import Binding
from .._core.record import kept
from .._functions import is_async
from ..errors import RejectedError
from .rows import Row, Rows, State

if TYPE_CHECKING:
    import os

__all__ = ["Outbox", "Replayed"]


class Replayed(NamedTuple):
    """What became of a write that an earlier process had begun.

    Attributes:
        key: its idempotency key.
        operation: its name.
        outcome: `done`; `failed`, it did not happen and cannot any more; or `unknown`.
        value: what the write returns, where it is done.
        error: what the caller would have got, where it is not.
    """

    key: str
    operation: str
    outcome: Literal["done", "failed", "unknown"]
    value: Any = None
    error: Exception | None = None


class InterruptedCallError(OSError):
    """The process that made this call ended before it was settled."""

    resilience_code = "connection_reset"


class Outbox:
    """Writes on disk. Safe across threads and tasks; one process at a time works with a file.

    Example:
        >>> import tempfile, pathlib
        >>> outbox = Outbox(pathlib.Path(tempfile.mkdtemp(), "bot.db"))
        >>> outbox.open
        []
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file, or make it.

        Raises:
            OSError: it cannot be made, or another outbox works with it: a bot is to end before the next one starts.
            ValueError: it is something else.
        """
        self._rows = Rows(path)
        self._lock = Lock()
        self._running: set[tuple[str, str]] = set()
        """Writes that a call or a replay of this process is at: everybody else leaves them alone."""

    @property
    def open(self) -> list[Row]:
        """The writes that are under way or in doubt, oldest first."""
        return self._rows.of("open")

    def rows(self, state: State) -> list[Row]:
        """Return the writes in a state: `open`, `done`, or `failed` (it did not happen)."""
        return self._rows.of(state)

    def find(self, key: str) -> Row | None:
        """Return the write with this key, or None."""
        return self._rows.find(key)

    def forget(self, older_than: float) -> int:
        """Remove what was settled more than these seconds ago; return how many writes that were."""
        return self._rows.forget(time() - older_than)

    def close(self) -> None:
        """Close the file."""
        self._rows.close()

    def replay(self, client: Any, *, resend: bool = False) -> list[Replayed]:
        """Look every open write up, by the client's own policy, and settle it; calls under way are left alone.

        Args:
            client: the wrapped client that the writes were made with.
            resend: make a write again that provably did not happen, with the same key.
        """
        return [_replayed(row, _caught(run)) for row, run in self._interrupted(client, resend)]

    async def areplay(self, client: Any, *, resend: bool = False) -> list[Replayed]:
        """Do as `replay` does, with a client whose calls are awaited."""
        return [_replayed(row, await _acaught(run)) for row, run in self._interrupted(client, resend)]

    # --- what `wrap` asks for ----------------------------------------------------------------------

    def takes(self, binding: Binding) -> bool:
        """Tell whether an operation is one to record: a write with a key that can be looked up."""
        return bool(binding.key and binding.reconcile and not binding.read and not binding.idempotent)

    def guarded(self, pipeline: Any, fn: Callable[..., Any], binding: Binding) -> Callable[..., Any]:
        """Compile a write so that it is recorded before it is sent."""
        assert binding.key is not None
        keys, operation = KeySlot(binding.key, fn, lambda: uuid4().hex), binding.operation
        refused = binding.refusals.get(RejectedError, RejectedError)
        compiled = pipeline.compile(fn, replace(binding, stamps=_stamps))

        def begun(args: Any, kwargs: Any) -> tuple[_Entry, Any, Any]:
            key, args, kwargs = keys.fill(args, kwargs)
            return self._begin(key, operation, args, kwargs, refused), args, kwargs

        if is_async(fn):

            async def acall(*args: Any, **kwargs: Any) -> Any:
                entry, args, kwargs = begun(args, kwargs)
                with entry:
                    return await compiled(*args, **kwargs)

            return acall

        def call(*args: Any, **kwargs: Any) -> Any:
            entry, args, kwargs = begun(args, kwargs)
            with entry:
                return compiled(*args, **kwargs)

        return call

    def _begin(self, key: str, operation: str, args: Any, kwargs: Any, refused: type) -> _Entry:
        """Record a write before it is sent.

        Raises:
            RejectedError: as the client's users catch it (`refused`): the key is under way, in doubt or
                used up, or the file cannot be written.
            TypeError: an argument cannot be kept.
        """
        mine, added = self._claim(key, operation), False
        try:
            added = mine and self._rows.add(key, operation, args, kwargs)
        except sqlite3.Error as error:
            raise refused(f"{operation}: the outbox cannot be written: {error}", operation=operation) from error
        finally:
            if mine and not added:
                self._left(key, operation)
        if added:
            return self._entry(key, operation, refused)
        row = self._rows.find(key, operation)
        done = row is not None and row.state == "done"
        why = "was executed already" if done else "is under way or in doubt: replay the outbox first"
        raise refused(f"{operation}: the write with key {key} {why}; nothing was sent", operation=operation)

    def _claim(self, key: str, operation: str) -> bool:
        """Take a write for one call, or one replay, of this process; False when another is at it."""
        with self._lock:
            if (key, operation) in self._running:
                return False
            self._running.add((key, operation))
            return True

    def _left(self, key: str, operation: str) -> None:
        self._running.discard((key, operation))

    def _entry(self, key: str, operation: str, refused: type, stamps: tuple[float, ...] = ()) -> _Entry:
        """Return the entry of a write that was claimed."""
        return _Entry(self._rows, key, operation, stamps, refused, lambda: self._left(key, operation))

    def _interrupted(self, client: Any, resend: bool) -> Iterator[tuple[Row, Callable[[], Any]]]:
        """Yield the open writes that no call of this process is at, each with what settles it.

        A row is read again once it is claimed: a call that was at it has settled it meanwhile.
        """
        for seen in self.open:
            if not self._claim(seen.key, seen.operation):
                continue
            run = None
            try:
                row = self._rows.find(seen.key, seen.operation)
                run = self._again(client, row, resend) if row is not None and row.state == "open" else None
            finally:
                if run is None:
                    self._left(seen.key, seen.operation)
            if row is not None and run is not None:
                yield row, run

    def _again(self, client: Any, row: Row, resend: bool) -> Callable[[], Any]:
        """Return the call that settles a row: its first attempt is the one that the earlier process made."""
        proxy = vars(client)
        raw, rules = proxy["_resilience_client"], proxy["_resilience_rules"]
        method = getattr(raw, row.operation.partition(" ")[0])
        bind = getattr(raw, "resilience_binding", None)
        told = Binding(operation=row.operation) if bind is None else bind(row.operation, client)
        pipeline, binding = rules.resolve(told)
        bound = replace(binding, resumed=True, once=not resend, stamps=_stamps)
        refused = binding.refusals.get(RejectedError, RejectedError)
        entry = self._entry(row.key, row.operation, refused, row.stamps)
        call = pipeline.compile(_resumed(method, row, never_sent=binding.signed and not row.stamps), bound)
        return _within(entry, call, row, asynchronous=is_async(method))


class _Entry:
    """One write's row while its call runs; leaving it settles the row as far as that is known."""

    def __init__(
        self, rows: Rows, key: str, operation: str, stamps: tuple[float, ...], refused: type, left: Callable[[], None]
    ) -> None:
        self._left = left
        self._refused = refused
        self._rows = rows
        self._key = key
        self._operation = operation
        self.stamps = list(stamps)
        self._token: Any = None

    def stamped(self, at: float) -> None:
        """Keep a stamp before the attempt that carries it is sent."""
        if at in self.stamps:
            return
        self.stamps.append(at)
        try:
            self._rows.stamp(self._key, self._operation, self.stamps)
        except sqlite3.Error as error:
            raise self._refused(f"{self._operation}: the outbox cannot be written: {error}") from error

    def __enter__(self) -> None:
        self._token = _ENTRY.set(self)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        _ENTRY.reset(self._token)
        try:
            self._settle(error)
        finally:
            self._left()

    def _settle(self, error: BaseException | None) -> None:
        failure = None if error is None else kept(error)
        if error is not None and (failure is None or failure.executed == "maybe"):
            return  # in doubt: it stays open
        try:
            self._rows.settle(self._key, self._operation, "done" if error is None else "failed")
        except sqlite3.Error as trouble:
            told = f"the outbox cannot be written, {self._operation} with key {self._key} stays open: {trouble}"
            warnings.warn(told, RuntimeWarning, stacklevel=4)


_ENTRY: ContextVar[_Entry | None] = ContextVar("resilience_outbox_entry", default=None)


class _Stamps(list[float]):
    """The stamps of one call, each on disk before it is used."""

    def __init__(self, entry: _Entry) -> None:
        super().__init__()
        self._entry = entry

    def append(self, at: float, /) -> None:
        self._entry.stamped(at)
        super().append(at)


def _stamps() -> list[float]:
    entry = _ENTRY.get()
    return [] if entry is None else _Stamps(entry)


def _resumed(method: Callable[..., Any], row: Row, *, never_sent: bool) -> Callable[..., Any]:
    """Return the write with its first attempt taken as made already; the later ones are real."""

    def first() -> bool:
        call = current_call()
        if call is None or call.attempt > 1:
            return False
        for stamp in row.stamps:
            call.stamp(stamp)
        if never_sent:
            raise RejectedError(f"{row.operation}: the process ended before anything was sent")
        raise InterruptedCallError(f"the process ended while {row.operation} was under way")

    if is_async(method):

        @wraps(method)  # the key stands in its place by the method's own signature
        async def aagain(*args: Any, **kwargs: Any) -> Any:
            first()
            return await method(*args, **kwargs)

        return aagain

    @wraps(method)
    def again(*args: Any, **kwargs: Any) -> Any:
        first()
        return method(*args, **kwargs)

    return again


def _within(entry: _Entry, call: Callable[..., Any], row: Row, *, asynchronous: bool) -> Callable[[], Any]:
    if asynchronous:

        async def arun() -> Any:
            with entry:
                return await call(*row.args, **row.kwargs)

        return arun

    def run() -> Any:
        with entry:
            return call(*row.args, **row.kwargs)

    return run


def _caught(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except Exception as error:
        return error


async def _acaught(run: Callable[[], Any]) -> Any:
    try:
        return await run()
    except Exception as error:
        return error


def _replayed(row: Row, ended: Any) -> Replayed:
    if not isinstance(ended, Exception):
        return Replayed(row.key, row.operation, "done", value=ended)
    failure = kept(ended)
    proven = failure is not None and failure.executed != "maybe"
    return Replayed(row.key, row.operation, "failed" if proven else "unknown", error=ended)
