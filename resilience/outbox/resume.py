"""A write that an earlier process had begun, taken up again by the rule of a call that never stopped."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, NamedTuple

from .._core.call.context import current_call
from .._core.classify.attach import attached_failure
from .._pipeline.callables import is_async
from ..errors import RejectedError
from .entry import Entry
from .rows import Row

__all__ = ["Replayed", "acaught", "caught", "replayed", "resumed", "within"]


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


def resumed(method: Callable[..., Any], row: Row, *, never_sent: bool) -> Callable[..., Any]:
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


def within(entry: Entry, call: Callable[..., Any], row: Row, *, asynchronous: bool) -> Callable[[], Any]:
    """Return what settles a row, in the colour of its method."""
    if asynchronous:

        async def arun() -> Any:
            with entry:
                return await call(*row.args, **row.kwargs)

        return arun

    def run() -> Any:
        with entry:
            return call(*row.args, **row.kwargs)

    return run


def caught(run: Callable[[], Any]) -> Any:
    """Return what a call returns, or the error that it raises."""
    try:
        return run()
    except Exception as error:
        return error


async def acaught(run: Callable[[], Any]) -> Any:
    """Return what an awaited call returns, or the error that it raises."""
    try:
        return await run()
    except Exception as error:
        return error


def replayed(row: Row, ended: Any) -> Replayed:
    """Say what became of a row's write by how its call ended."""
    if not isinstance(ended, Exception):
        return Replayed(row.key, row.operation, "done", value=ended)
    failure = attached_failure(ended)
    proven = failure is not None and failure.executed != "maybe"
    return Replayed(row.key, row.operation, "failed" if proven else "unknown", error=ended)
