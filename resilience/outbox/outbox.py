"""Records the keyed writes of a client before they are sent, and settles interrupted ones after a restart or a death.

A row is stored before anything of its write is sent, and so is each stamp. Only a result settles it, or proof
that the write was not executed. An uncertain write stays open, and `resume` looks it up by the same rules as a
call that was never interrupted.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from .._core.call.idempotency_key import KeySlot
from .._core.call.operation_info import OperationInfo
from .._core.call.stage import has_around
from .._pipeline.callables import is_async
from .argument_codec import encode_arguments
from .outbox_store import NewWrite
from .recorded_call import BeginWrite, guard_attempts, record_calls, remember_found
from .resume import ResumedWrite
from .row import Row, RowState
from .row_match import digest_of
from .safe_warning import warn_or_log
from .settle_rows import settle_rows, settle_rows_async
from .store_opening import open_store, without_password
from .store_waits import poll_now
from .stored_stamps import new_stamps
from .write_recorder import WriteRecorder

if TYPE_CHECKING:
    import os

__all__ = ["Outbox"]


class Outbox:
    """Keeps each write in a file or in PostgreSQL before it is sent. Safe across threads and tasks.

    A file is used by one process at a time, and not by its forked children. A PostgreSQL database is used by any number
    of processes, forked children included. Every method raises an `OSError` if the outbox cannot be used: because it
    was closed, the file belongs to the parent of this process, another program has the file locked, or the server
    cannot be reached. In the last two cases it tries for ten seconds first, except in an event loop.

    Example:
        >>> import tempfile, pathlib
        >>> with Outbox(pathlib.Path(tempfile.mkdtemp(), "bot.db")) as outbox:
        ...     outbox.open
        []
    """

    def __init__(self, path: str | os.PathLike[str], *, lease: float = 30.0) -> None:
        """Open the file or the tables in the database, or create them.

        Args:
            path: the path of a file, or a URL that begins with `postgresql://`.
            lease: seconds after the death of a process until others may adopt its writes in PostgreSQL. A file has a
                lock instead, which ends with its process.

        Raises:
            OSError: it cannot be created or reached, or another outbox uses the file: a bot has to end before the next
                one starts.
            ValueError: the file or the database is not an outbox, or the path, the URL or the lease is invalid.
            ModuleNotFoundError: PostgreSQL needs the extra `postgres`.
        """
        path = without_password(path)  # in a traceback that shows local variables
        self._store = open_store(path, lease)
        self._recorder = WriteRecorder(self._store)

    @property
    def open(self) -> list[Row]:
        """The writes that are in progress or uncertain, oldest first, with damaged rows (see `Row.problem`)."""
        return poll_now(lambda: self._store.in_state("open"))

    def rows(self, state: RowState) -> list[Row]:
        """Return the writes in a state.

        Args:
            state: `open`, `done`, or `failed` (not executed).
        """
        return poll_now(lambda: self._store.in_state(state))

    def find(self, key: str) -> Row | None:
        """Return the write with this key, or None."""
        return poll_now(lambda: self._store.find(key))

    def forget(self, older_than: float) -> int:
        """Delete the writes that were settled more than `older_than` seconds ago, and return their number."""
        return poll_now(lambda: self._store.forget(older_than))

    def settle(self, key: str, outcome: Literal["done", "failed"]) -> None:
        """Settle an open write by hand, after you have checked at the exchange what became of it.

        Raises:
            LookupError: no write with this key is open, or a call is working on it.
            ValueError: the outcome is neither `done` nor `failed`.
        """
        if outcome not in ("done", "failed"):
            raise ValueError(f"a write is settled as 'done' or 'failed', not as {outcome!r}")
        row = self.find(key)
        claim = None if row is None or row.state != "open" else self._recorder.claims.take(key, row.operation)
        if row is None or claim is None:
            raise LookupError(f"no interrupted write with key {key} is open")
        try:
            taken = poll_now(partial(self._store.take, row))
            if taken is None:
                raise LookupError(f"no interrupted write with key {key} is open: {row.owner} works on it")
            error = self._store.settle(taken.held, outcome)
        finally:
            self._recorder.claims.release(claim)
        if error is not None:
            raise error

    def close(self) -> None:
        """Close the file or the connections. Others may adopt writes in PostgreSQL that are still uncertain."""
        error = self._store.close()
        if error is not None:
            warn_or_log(f"the outbox was closed with settled writes that are still open in it: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resume(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Look up every open write under the client's own policy, and settle it. Calls in progress are not touched.

        In PostgreSQL these are the writes of this outbox; `adopt` settles those of processes that have died. Up to
        eight writes are settled at the same time: in threads here, and in tasks by `aresume`.

        Args:
            client: the wrapped client that the writes were made with.
            resend: whether to send a write again, with the same key, if it provably was not executed.

        Returns:
            A result for each write. One that cannot be resumed is in the list too, with the reason, and stays open.

        Raises:
            AttributeError: the client is not wrapped.
        """
        return settle_rows(self._recorder, self._store.resumable, client, resend=resend, adopt=False)

    async def aresume(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Do as `resume`, with a client whose calls are awaited."""
        return await settle_rows_async(self._recorder, self._store.resumable, client, resend=resend, adopt=False)

    def adopt(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Take over and settle the writes in PostgreSQL of processes whose lease has ended, as `resume` does its own.

        Each is taken by one process only, and its former owner cannot send it any more. Where the API accepts requests
        however old they are, the former owner may have sent one that has not arrived: such a write is only looked up,
        whatever `resend` says, and is `unknown` if it is not found. Of a file, the writes of this machine are resumed.

        Args:
            client: the wrapped client, of the account that the writes were made with.
            resend: whether to send a write again, with the same key, if it provably was not executed.

        Returns:
            A result for each write that was taken over.

        Raises:
            AttributeError: the client is not wrapped.
        """
        return settle_rows(self._recorder, self._store.adoptable, client, resend=resend, adopt=True)

    async def aadopt(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Do as `adopt`, with a client whose calls are awaited."""
        return await settle_rows_async(self._recorder, self._store.adoptable, client, resend=resend, adopt=True)

    def replay(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Do as `resume`, with a `DeprecationWarning`: the name of 0.1."""
        warn_or_log("Outbox.replay is deprecated: use Outbox.resume", DeprecationWarning)
        return self.resume(client, resend=resend)

    async def areplay(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Do as `aresume`, with a `DeprecationWarning`: the name of 0.1."""
        warn_or_log("Outbox.areplay is deprecated: use Outbox.aresume", DeprecationWarning)
        return await self.aresume(client, resend=resend)

    # --- for `wrap` ---------------------------------------------------------------------------------

    def covers(self, info: OperationInfo) -> bool:
        """Return whether an operation is recorded: it is a write with a key, and can be looked up."""
        return bool(info.key and info.reconcile and not info.read and not info.idempotent)

    def compile_recorded(self, pipeline: Any, fn: Callable[..., Any], info: OperationInfo) -> Callable[..., Any]:
        """Compile a write so that it is recorded before it is sent."""
        assert info.key is not None
        make_key = None if info.needs_consent else info.make_key or pipeline.shared.make_key
        # Both may give the caller something that is not the API's answer.
        has_fallback = pipeline.policy.fallback is not None or any(map(has_around, pipeline.stages))
        recorded = replace(info, new_stamps=new_stamps)
        if has_fallback and info.reconcile is not None:
            recorded = replace(recorded, reconcile=remember_found(info.reconcile))
        compiled = pipeline.compile(guard_attempts(fn), recorded)
        # Without a key there is nothing to look the write up by, so that it is not recorded.
        keyless = pipeline.compile(fn, info) if info.needs_consent else None
        asynchronous = is_async(fn)
        begin = self.recorder_of(pipeline, fn, info, awaits=asynchronous)
        keys = KeySlot(info.key, fn, make_key)
        return record_calls(
            compiled, keys, begin, keyless=keyless, asynchronous=asynchronous, has_fallback=has_fallback
        )

    def recorder_of(
        self, pipeline: Any, fn: Callable[..., Any], info: OperationInfo, *, awaits: bool = False
    ) -> BeginWrite:
        """Return what records a write of this method before its call; with `awaits` what it returns is awaited."""
        names, asynchronous = _positional_names(fn), is_async(fn)
        record = self._recorder.abegin if awaits else self._recorder.begin

        def begin(key: str, args: Any, kwargs: Any) -> Any:
            arguments = encode_arguments(args, kwargs, names)
            write = NewWrite(key, info.operation, arguments, digest_of(info.account), info.host)
            unsettled = pipeline.shared.unsettled
            return record(write, info, pipeline.clock, asynchronous=asynchronous, unsettled=unsettled)

        return begin

    def continue_recorded(
        self, pipeline: Any, fn: Callable[..., Any], info: OperationInfo, *, sends: bool
    ) -> Callable[..., Any]:
        """Compile a call inside the block of a write that is recorded already.

        Args:
            pipeline: the policy.
            fn: the client's method, or what stands in for an attempt that was made before.
            info: the operation.
            sends: whether it sends anything, which must not leave before its row is on disk.
        """
        compiled: Callable[..., Any] = pipeline.compile(
            guard_attempts(fn) if sends else fn, replace(info, new_stamps=new_stamps)
        )
        return compiled


def _positional_names(fn: Callable[..., Any]) -> list[str]:
    """Return the names of a function's positional parameters, for messages."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return []  # a builtin without a signature
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in positional]
