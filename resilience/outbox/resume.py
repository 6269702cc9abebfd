"""Resumes a write that an earlier process began, by the same rules as a call that was never interrupted."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, NamedTuple

from .._core.call.context import current_call
from .._core.classify.attach import attached_failure
from .._pipeline.callables import is_async
from .open_write import OpenWrite
from .write_table import Row

__all__ = ["ResumedWrite", "describe_outcome", "run_inside", "simulate_first_attempt"]


class ResumedWrite(NamedTuple):
    """The outcome of a write that an earlier process began.

    Attributes:
        key: its idempotency key.
        operation: its name.
        outcome: `done`; `failed`: it was not executed and cannot be any more; or `unknown`.
        value: what the write returns, if it is done.
        error: what its caller would have got, if it is not done.
    """

    key: str
    operation: str
    outcome: Literal["done", "failed", "unknown"]
    value: Any = None
    error: Exception | None = None


class InterruptedCallError(OSError):
    """The process that made this call ended before its outcome was known."""

    resilience_code = "connection_reset"  # classified like a connection that broke after the request was sent


class UnsentCallError(InterruptedCallError):
    """The process that made this call ended before anything was sent. A `RejectedError` would end the resumed call."""

    resilience_executed = "no"


def simulate_first_attempt(method: Callable[..., Any], row: Row, *, never_sent: bool) -> Callable[..., Any]:
    """Return the method with its first attempt replaced by the one of the earlier process; later ones are real.

    The replaced attempt reports the stamps of the row and fails, so that the call goes on as it would have.

    Args:
        method: the client's method.
        row: the write.
        never_sent: whether the earlier process provably sent nothing.
    """

    def replace_first() -> None:
        call = current_call()
        if call is None or call.attempt > 1:
            return
        for stamp in row.stamps:
            call.stamp(stamp)
        if never_sent:
            raise UnsentCallError(f"{row.operation}: the process ended before anything was sent")
        raise InterruptedCallError(f"the process ended while {row.operation} was in progress")

    if is_async(method):

        @wraps(method)  # the pipeline finds the key's parameter in the method's own signature
        async def attempt_async(*args: Any, **kwargs: Any) -> Any:
            replace_first()
            return await method(*args, **kwargs)

        return attempt_async

    @wraps(method)
    def attempt(*args: Any, **kwargs: Any) -> Any:
        replace_first()
        return method(*args, **kwargs)

    return attempt


def run_inside(write: OpenWrite, call: Callable[..., Any], row: Row, *, asynchronous: bool) -> Callable[[], Any]:
    """Return a function that makes the call of a row, settles the row, and returns the result or the error."""
    if asynchronous:

        async def run_async() -> Any:
            try:
                with write:
                    return await call(*row.args, **row.kwargs)
            except Exception as error:
                return error

        return run_async

    def run() -> Any:
        try:
            with write:
                return call(*row.args, **row.kwargs)
        except Exception as error:
            return error

    return run


def describe_outcome(row: Row, result: Any) -> ResumedWrite:
    """Return the outcome of a row's write, from the result or the error of its call."""
    if not isinstance(result, Exception):
        return ResumedWrite(row.key, row.operation, "done", value=result)
    failure = attached_failure(result)
    was_not_executed = failure is not None and failure.executed != "maybe"
    return ResumedWrite(row.key, row.operation, "failed" if was_not_executed else "unknown", error=result)
