"""The outbox of a client: keyed writes are recorded before they are sent, and found again after a restart.

The law of this file: a row is on disk before anything of its write leaves, and so is each stamp. It
is settled only by a result or by proof that nothing happened; whatever is in doubt stays open, and a
replay looks it up by the same rule as a call that never stopped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Lock
from time import time
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from .._core.call.idempotency_key import KeySlot
from .._core.call.operation_info import OperationInfo
from .._pipeline.callables import is_async
from ..errors import RejectedError
from .entry import Entry, stamps
from .resume import Replayed, acaught, caught, replayed, resumed, within
from .rows import Row, Rows, State

if TYPE_CHECKING:
    import os

__all__ = ["Outbox"]


class Outbox:
    """Writes on disk. Safe across threads and tasks; one process at a time works with a file.

    Example:
        >>> import tempfile, pathlib
        >>> with Outbox(pathlib.Path(tempfile.mkdtemp(), "bot.db")) as outbox:
        ...     outbox.open
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def replay(self, client: Any, *, resend: bool = False) -> list[Replayed]:
        """Look every open write up, by the client's own policy, and settle it; calls under way are left alone.

        Args:
            client: the wrapped client that the writes were made with.
            resend: make a write again that provably did not happen, with the same key.
        """
        return [replayed(row, caught(run)) for row, run in self._interrupted(client, resend)]

    async def areplay(self, client: Any, *, resend: bool = False) -> list[Replayed]:
        """Do as `replay` does, with a client whose calls are awaited."""
        return [replayed(row, await acaught(run)) for row, run in self._interrupted(client, resend)]

    # --- what `wrap` asks for ----------------------------------------------------------------------

    def takes(self, info: OperationInfo) -> bool:
        """Tell whether an operation is one to record: a write with a key that can be looked up."""
        return bool(info.key and info.reconcile and not info.read and not info.idempotent)

    def guarded(self, pipeline: Any, fn: Callable[..., Any], info: OperationInfo) -> Callable[..., Any]:
        """Compile a write so that it is recorded before it is sent."""
        assert info.key is not None
        keys, operation = KeySlot(info.key, fn, lambda: uuid4().hex), info.operation
        refused = info.rejection_types.get(RejectedError, RejectedError)
        compiled = pipeline.compile(fn, replace(info, new_stamps=stamps))

        def begun(args: Any, kwargs: Any) -> tuple[Entry, Any, Any]:
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

    def _begin(self, key: str, operation: str, args: Any, kwargs: Any, refused: type) -> Entry:
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

    def _entry(self, key: str, operation: str, refused: type, stamps: tuple[float, ...] = ()) -> Entry:
        """Return the entry of a write that was claimed."""
        return Entry(self._rows, key, operation, stamps, refused, lambda: self._left(key, operation))

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
        bind = getattr(raw, "resilience_operation_info", None)
        told = OperationInfo(operation=row.operation) if bind is None else bind(row.operation, client)
        pipeline, info = rules.resolve(told)
        bound = replace(info, resumed=True, send_once=not resend, new_stamps=stamps)
        refused = info.rejection_types.get(RejectedError, RejectedError)
        entry = self._entry(row.key, row.operation, refused, row.stamps)
        call = pipeline.compile(resumed(method, row, never_sent=info.signs and not row.stamps), bound)
        return within(entry, call, row, asynchronous=is_async(method))
