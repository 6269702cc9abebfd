"""Records the keyed writes of a client before they are sent, and resumes the interrupted ones after a restart.

A row is on disk before anything of its write is sent, and so is each stamp. Only a result settles it, or proof
that the write was not executed. An uncertain write stays open, and `resume` looks it up by the same rules as a
call that was never interrupted.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import time
from typing import TYPE_CHECKING, Any, Literal, Self

from .._core.call.idempotency_key import KeySlot
from .._core.call.operation_info import OperationInfo
from .._core.call.stage import has_around
from .._drivers.system_clock import SystemClock
from .._pipeline.callables import is_async
from .argument_codec import encode_arguments
from .file_waits import LONGEST_WAIT, apoll, poll_now
from .open_write import OpenWrite, new_stamps
from .recorded_call import BeginWrite, guard_attempts, record_calls, remember_found
from .resumable import begin_resume, check_wrapped, digest_of
from .resume import ResumedWrite
from .row import Row, RowState
from .safe_warning import warn_or_log
from .write_recorder import WriteRecorder
from .write_table import NewWrite, WriteTable

if TYPE_CHECKING:
    import os

__all__ = ["Outbox"]


class Outbox:
    """Writes on disk. Safe across threads and tasks; one process at a time uses a file, and a forked child none.

    Every method raises an `OSError` if the file cannot be used: it was closed, it belongs to the parent of this
    process, or another program has had it locked for ten seconds (in an event loop: has it locked).

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
            ValueError: the file is not an outbox, or the path is empty.
        """
        self._table = WriteTable(path)
        self._recorder = WriteRecorder(self._table)

    @property
    def open(self) -> list[Row]:
        """The writes that are in progress or uncertain, oldest first. Damaged rows are among them: `Row.problem`."""
        return poll_now(lambda: self._table.in_state("open"))

    def rows(self, state: RowState) -> list[Row]:
        """Return the writes in a state: `open`, `done`, or `failed` (not executed)."""
        return poll_now(lambda: self._table.in_state(state))

    def find(self, key: str) -> Row | None:
        """Return the write with this key, or None."""
        return poll_now(lambda: self._table.find(key))

    def forget(self, older_than: float) -> int:
        """Delete the writes that were settled more than this many seconds ago; return their number."""
        return poll_now(lambda: self._table.forget(time() - older_than))

    def settle(self, key: str, outcome: Literal["done", "failed"]) -> None:
        """Settle an open write by hand, after you have looked at the exchange what became of it.

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
        error = self._table.settle(key, row.operation, outcome)
        self._recorder.claims.release(claim)
        if error is not None:
            raise error

    def close(self) -> None:
        """Close the file."""
        error = self._table.close()
        if error is not None:
            warn_or_log(f"the outbox was closed with settled writes that are still open in it: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resume(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Look up every open write, under the client's own policy, and settle it. Calls in progress are left alone.

        A write that cannot be resumed is in the list too, with the reason, and stays open; the others are resumed.

        Args:
            client: the wrapped client that the writes were made with.
            resend: whether to send a write again, with the same key, if it provably was not executed.

        Raises:
            AttributeError: the client is not wrapped.
        """
        check_wrapped(client)
        begin = partial(begin_resume, self._recorder, client, resend=resend)
        # One after the other: each is claimed only when its turn has come.
        begun = (poll_now(partial(begin, listed)) for listed in self.open)
        return [step if isinstance(step, ResumedWrite) else step() for step in begun if step is not None]

    async def aresume(self, client: Any, *, resend: bool = False) -> list[ResumedWrite]:
        """Look up and settle every open write of a client whose calls are awaited; arguments as for `resume`."""
        check_wrapped(client)
        clock, resumed = SystemClock(), []
        begin = partial(begin_resume, self._recorder, client, resend=resend)
        for listed in await apoll(lambda: self._table.in_state("open"), clock, clock.monotonic() + LONGEST_WAIT):
            step = await apoll(partial(begin, listed), clock, clock.monotonic() + LONGEST_WAIT)
            if step is not None:
                resumed.append(step if isinstance(step, ResumedWrite) else await step())
        return resumed

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
        begin, asynchronous = self.recorder_of(pipeline, fn, info), is_async(fn)
        keys = KeySlot(info.key, fn, make_key)
        return record_calls(
            compiled, keys, begin, keyless=keyless, asynchronous=asynchronous, has_fallback=has_fallback
        )

    def recorder_of(self, pipeline: Any, fn: Callable[..., Any], info: OperationInfo) -> BeginWrite:
        """Return what records a write of this method before its call."""
        names, asynchronous = _positional_names(fn), is_async(fn)

        def begin(key: str, args: Any, kwargs: Any) -> OpenWrite:
            arguments = encode_arguments(args, kwargs, names)
            write = NewWrite(key, info.operation, arguments, digest_of(info.account), info.host)
            return self._recorder.begin(write, info, pipeline.clock, asynchronous=asynchronous)

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
