"""Records the keyed writes of a client before they are sent, and resumes the interrupted ones after a restart.

A row is on disk before anything of its write is sent, and so is each stamp. Only a result settles it, or proof
that the write was not executed. An uncertain write stays open, and `resume` looks it up by the same rules as a
call that was never interrupted.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Lock
from time import time
from typing import TYPE_CHECKING, Any, Self

from .._core.call.idempotency_key import KeySlot
from .._core.call.operation_info import OperationInfo
from .._pipeline.callables import is_async
from ..errors import RejectedError
from .open_write import OpenWrite, new_stamps
from .resume import ResumedWrite, describe_outcome, run_inside, simulate_first_attempt
from .write_table import Row, RowState, WriteTable

if TYPE_CHECKING:
    import os

__all__ = ["Outbox"]


class Outbox:
    """Writes on disk. Safe across threads and tasks; one process at a time uses a file.

    Example:
        >>> import tempfile, pathlib
        >>> with Outbox(pathlib.Path(tempfile.mkdtemp(), "bot.db")) as outbox:
        ...     outbox.open
        []
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file, or create it.

        Raises:
            OSError: it cannot be created, or another outbox uses it. A bot has to end before the next one starts.
            ValueError: the file is not an outbox.
        """
        self._table = WriteTable(path)
        self._lock = Lock()
        self._claimed: set[tuple[str, str]] = set()
        """(key, operation) of the writes that a call or a `resume` of this process is working on."""

    @property
    def open(self) -> list[Row]:
        """The writes that are in progress or uncertain, oldest first."""
        return self._table.in_state("open")

    def rows(self, state: RowState) -> list[Row]:
        """Return the writes in a state: `open`, `done`, or `failed` (not executed)."""
        return self._table.in_state(state)

    def find(self, key: str) -> Row | None:
        """Return the write with this key, or None."""
        return self._table.find(key)

    def forget(self, older_than: float) -> int:
        """Delete the writes that were settled more than this many seconds ago; return their number."""
        return self._table.forget(time() - older_than)

    def close(self) -> None:
        """Close the file."""
        self._table.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resume(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Look up every open write, under the client's own policy, and settle it. Calls in progress are left alone.

        Args:
            client: the wrapped client that the writes were made with.
            resend: whether to send a write again, with the same key, if it provably was not executed.

        Raises:
            AttributeError: the client is not wrapped, or has no such method.
        """
        return [describe_outcome(row, run()) for row, run in self._interrupted(client, resend)]

    async def aresume(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Look up and settle every open write of a client whose calls are awaited; arguments as for `resume`."""
        return [describe_outcome(row, await run()) for row, run in self._interrupted(client, resend)]

    def replay(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Do as `resume`, with a `DeprecationWarning`: the name of 0.1."""
        warnings.warn("Outbox.replay is deprecated: use Outbox.resume", DeprecationWarning, stacklevel=2)
        return self.resume(client, resend=resend)

    async def areplay(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Do as `aresume`, with a `DeprecationWarning`: the name of 0.1."""
        warnings.warn("Outbox.areplay is deprecated: use Outbox.aresume", DeprecationWarning, stacklevel=2)
        return await self.aresume(client, resend=resend)

    # --- for `wrap` ---------------------------------------------------------------------------------

    def covers(self, info: OperationInfo) -> bool:
        """Return whether an operation is recorded: it is a write with a key, and can be looked up."""
        return bool(info.key and info.reconcile and not info.read and not info.idempotent)

    def compile_recorded(self, pipeline: Any, fn: Callable[..., Any], info: OperationInfo) -> Callable[..., Any]:
        """Compile a write so that it is recorded before it is sent."""
        assert info.key is not None
        # The key is filled in here and not in the pipeline, because the row needs it before the call begins.
        keys, operation = KeySlot(info.key, fn, info.make_key or pipeline.shared.make_key), info.operation
        rejection_type = info.rejection_types.get(RejectedError, RejectedError)
        compiled = pipeline.compile(fn, replace(info, new_stamps=new_stamps))

        def begin(args: Any, kwargs: Any) -> tuple[OpenWrite, Any, Any]:
            key, args, kwargs = keys.fill(args, kwargs)
            assert key is not None, "this slot makes one"
            return self._begin(key, operation, args, kwargs, rejection_type), args, kwargs

        if is_async(fn):

            async def call_async(*args: Any, **kwargs: Any) -> Any:
                write, args, kwargs = begin(args, kwargs)
                with write:
                    return await compiled(*args, **kwargs)

            return call_async

        def call(*args: Any, **kwargs: Any) -> Any:
            write, args, kwargs = begin(args, kwargs)
            with write:
                return compiled(*args, **kwargs)

        return call

    def _begin(self, key: str, operation: str, args: Any, kwargs: Any, rejection_type: type) -> OpenWrite:
        """Record a write before it is sent.

        Raises:
            RejectedError: as its subclass for the client's users: the write with this key is in progress, uncertain
                or done, or the file cannot be written.
            TypeError: an argument cannot be stored.
        """
        claimed, added = self._claim(key, operation), False
        try:
            added = claimed and self._table.add(key, operation, args, kwargs)
        except sqlite3.Error as error:
            raise rejection_type(f"{operation}: the outbox cannot be written: {error}", operation=operation) from error
        finally:
            if claimed and not added:
                self._release(key, operation)
        if added:
            return self._open_write(key, operation, rejection_type)
        row = self._table.find(key, operation)
        done = row is not None and row.state == "done"
        reason = "was executed already" if done else "is in progress or uncertain: call Outbox.resume first"
        message = f"{operation}: the write with key {key} {reason}; nothing was sent"
        raise rejection_type(message, operation=operation)

    def _claim(self, key: str, operation: str) -> bool:
        """Claim a write for one call, or one `resume`, of this process; return False if another has it."""
        with self._lock:
            if (key, operation) in self._claimed:
                return False
            self._claimed.add((key, operation))
            return True

    def _release(self, key: str, operation: str) -> None:
        # No lock: `discard` is a single operation of the set, and only the claimant releases its write.
        self._claimed.discard((key, operation))

    def _open_write(self, key: str, operation: str, rejection_type: type, stamps: tuple[float, ...] = ()) -> OpenWrite:
        return OpenWrite(
            self._table, key, operation, stamps, rejection_type, release=lambda: self._release(key, operation)
        )

    def _interrupted(self, client: Any, resend: bool) -> Iterator[tuple[Row, Callable[[], Any]]]:
        """Claim each open write that no call of this process works on; yield it with what settles it."""
        for listed in self.open:
            if not self._claim(listed.key, listed.operation):
                continue
            run = None
            try:
                # Read again once it is claimed: a call that had it claimed may have settled it meanwhile.
                row = self._table.find(listed.key, listed.operation)
                run = self._compile_resumed(client, row, resend) if row is not None and row.state == "open" else None
            finally:
                if run is None:
                    self._release(listed.key, listed.operation)
            if row is not None and run is not None:
                yield row, run

    def _compile_resumed(self, client: Any, row: Row, resend: bool) -> Callable[[], Any]:
        """Compile the call that settles a row. Its first attempt is the one that the earlier process made."""
        proxy = vars(client)
        raw, rules = proxy["_resilience_client"], proxy["_resilience_rules"]
        method = getattr(raw, row.operation.partition(" ")[0])  # "post /api/…" is made by `post`
        describe = getattr(raw, "resilience_operation_info", None)
        info = OperationInfo(operation=row.operation) if describe is None else describe(row.operation, client)
        pipeline, info = rules.resolve(info)
        rejection_type = info.rejection_types.get(RejectedError, RejectedError)
        write = self._open_write(row.key, row.operation, rejection_type, row.stamps)
        # A client that signs stores a stamp before it sends: without one, nothing was sent.
        attempt = simulate_first_attempt(method, row, never_sent=info.signs and not row.stamps)
        info = replace(info, resumed=True, send_once=not resend, new_stamps=new_stamps)
        return run_inside(write, pipeline.compile(attempt, info), row, asynchronous=is_async(method))
