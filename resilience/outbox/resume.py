"""Resumes a write that an earlier process began, by the same rules as a call that was never interrupted."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, NamedTuple

from .._core.base.routine import Invocation, Routine
from .._core.call.context import current_call
from .._core.classify.attach import attached_failure
from .._core.policy.codes import Category
from .._core.stages.fence import Fence
from .._drivers.routine_runner import routine_function
from .._pipeline.callables import is_async
from .open_write import OpenWrite, current_write
from .row import Row

__all__ = ["ResumedWrite", "run_inside", "simulate_first_attempt"]


class ResumedWrite(NamedTuple):
    """The outcome of a write that an earlier process began.

    Attributes:
        key: its idempotency key.
        operation: its name.
        outcome: `done`, `failed` (it was not executed and cannot be any more) or `unknown` (it could not be settled).
            Three outcomes say that nothing was looked up or sent: `unreadable` (the row is damaged),
            `unknown_operation` (the client has no such method, or not with these parameters) and `other_account` (the
            client has another account, or talks to another host). Only `done` and `failed` settle the write.
        value: what the write returns, if it is done; the reason, if nothing was looked up.
        error: the error that its caller would have got, if it is not done.
    """

    key: str
    operation: str
    outcome: Literal["done", "failed", "unknown", "unreadable", "unknown_operation", "other_account"]
    value: Any = None
    error: Exception | None = None


class InterruptedCallError(OSError):
    """The process that made this call ended before its outcome was known."""

    resilience_code = "connection_reset"  # classified like a connection that broke after the request was sent


class UnsentCallError(InterruptedCallError):
    """The process that made this call ended before anything was sent. A `RejectedError` would end the resumed call."""

    resilience_executed = "no"


def simulate_first_attempt(
    method: Callable[..., Any], row: Row, *, never_sent: bool, fence: Fence | None = None
) -> Callable[..., Any]:
    """Return a function in place of the method, which makes the attempt of the earlier process: nothing is sent.

    It reports the stamps of the row and fails, so that the call goes on as it would have.

    Args:
        method: the client's method.
        row: the write.
        never_sent: whether the earlier process provably sent nothing.
        fence: the bounds that its request said; None where those of the operation hold.
    """

    def fail() -> None:
        current_write().began = True
        call = current_call()
        assert call is not None, "the pipeline calls it"
        with current_write().row.replaying():
            for stamp in row.stamps:
                call.stamp(stamp)
            if fence is not None:
                call.report_fence(fence)
        if never_sent:
            raise UnsentCallError(f"{row.operation}: the process ended before anything was sent")
        raise InterruptedCallError(f"the process ended while {row.operation} was in progress")

    if is_async(method):

        @wraps(method)  # the pipeline finds the key's parameter in the method's own signature
        async def attempt_async(*_args: Any, **_kwargs: Any) -> Any:
            fail()

        return attempt_async

    @wraps(method)
    def attempt(*_args: Any, **_kwargs: Any) -> Any:
        fail()

    return attempt


def run_inside(
    write: OpenWrite, look_up: Callable[..., Any], send: Callable[..., Any] | None, row: Row, *, asynchronous: bool
) -> Callable[[], Any]:
    """Return a function that looks a write up, sends it again where it may, settles its row and returns its outcome.

    Args:
        write: the write.
        look_up: makes the call whose only attempt is that of the earlier process.
        send: makes the call anew; None where it may not be sent again.
        row: the row.
        asynchronous: whether both are async.
    """

    def run() -> Routine[ResumedWrite]:
        try:
            with write:
                write.may_send_again = send is not None
                try:
                    result = yield Invocation(look_up, row.args, row.kwargs)
                except Exception as error:
                    if send is None or not _may_send(write, error):
                        raise
                    result = _UNSENT
                write.may_send_again = False
                if result is _UNSENT and send is not None:
                    result = yield Invocation(send, row.args, row.kwargs)
        except Exception as error:
            return _describe_error(write, row, error)
        return ResumedWrite(row.key, row.operation, "done", value=result)

    return routine_function(run, asynchronous=asynchronous)


_UNSENT = object()  # in place of a result: the write was not executed, and is sent again outside the `except` block


def _may_send(write: OpenWrite, error: Exception) -> bool:
    failure = attached_failure(error)
    return write.proves_failure(error) and failure is not None and failure.category is Category.RETRYABLE


def _describe_error(write: OpenWrite, row: Row, error: Exception) -> ResumedWrite:
    """Return the outcome of a row's write whose call ended with an error."""
    return ResumedWrite(row.key, row.operation, "failed" if write.proves_failure(error) else "unknown", error=error)
