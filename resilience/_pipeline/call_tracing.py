"""Puts calls and their attempts into spans. Compiled into a call only while somebody traces.

A span is a context manager that is current while its call, or its attempt, is under way; so the span of an instrumented
client is inside that of the attempt, and that of the attempt inside that of the call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from .._core.call.context import inherited
from .._core.call.plan import Plan
from .._core.classify.returned_errors import is_plain

__all__ = ["AttemptSpan", "CallTracer", "trace_attempts", "trace_calls"]


class AttemptSpan(Protocol):
    """The span of one attempt."""

    def fail(self, failed: Any) -> None:
        """Take the answer of the attempt that is a failure."""


class CallTracer(Protocol):
    """Makes spans. Its methods must not raise."""

    def call_span(self, plan: Plan) -> AbstractContextManager[Any]:
        """Return the span of one call."""

    def attempt_span(self, plan: Plan, number: int) -> AbstractContextManager[AttemptSpan]:
        """Return the span of one attempt of a call."""


def trace_calls(
    tracers: Sequence[CallTracer], plan: Plan, call: Callable[..., Any], *, asynchronous: bool
) -> Callable[..., Any]:
    """Return `call` in a span of each tracer."""
    for tracer in tracers:
        call = (_calls_async if asynchronous else _calls_sync)(tracer.call_span, plan, call)
    return call


def trace_attempts(
    tracers: Sequence[CallTracer], plan: Plan, send: Callable[..., Any], *, asynchronous: bool
) -> Callable[..., Any]:
    """Return `send`, which makes one attempt, in a span of each tracer."""
    for tracer in tracers:
        send = (_attempts_async if asynchronous else _attempts_sync)(tracer.attempt_span, plan, send)
    return send


def _calls_sync(span: Callable[[Plan], Any], plan: Plan, call: Callable[..., Any]) -> Callable[..., Any]:
    def traced(*args: Any, **kwargs: Any) -> Any:
        with span(plan):
            return call(*args, **kwargs)

    return traced


def _calls_async(span: Callable[[Plan], Any], plan: Plan, call: Callable[..., Any]) -> Callable[..., Any]:
    async def traced(*args: Any, **kwargs: Any) -> Any:
        with span(plan):
            return await call(*args, **kwargs)

    return traced


def _attempts_sync(span: Callable[[Plan, int], Any], plan: Plan, send: Callable[..., Any]) -> Callable[..., Any]:
    def traced(*args: Any, **kwargs: Any) -> Any:
        with span(plan, _number()) as attempt:
            result = send(*args, **kwargs)
            _report(plan, attempt, result)
            return result

    return traced


def _attempts_async(span: Callable[[Plan, int], Any], plan: Plan, send: Callable[..., Any]) -> Callable[..., Any]:
    async def traced(*args: Any, **kwargs: Any) -> Any:
        with span(plan, _number()) as attempt:
            result = await send(*args, **kwargs)
            _report(plan, attempt, result)
            return result

    return traced


def _number() -> int:
    context = inherited()
    return 1 if context is None else context.attempt


def _report(plan: Plan, attempt: AttemptSpan, result: Any) -> None:
    """Report an answer that is a failure to the span. The driver inspects it once more, and decides."""
    if is_plain(result):
        return
    try:
        failed = plan.inspect_result(result)
    except Exception as error:
        failed = error
    try:
        if failed is not None:
            attempt.fail(failed)
    finally:
        failed = None  # an error's traceback holds this frame: without this they would be a cycle
