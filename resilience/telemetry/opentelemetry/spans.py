"""Makes a span per call and a child of it per attempt, with events for what is decided. Nothing in them is secret."""

from __future__ import annotations

from contextvars import ContextVar, Token
from logging import getLogger
from types import TracebackType
from typing import Any, Self

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from ..._core.base.event import Event
from ..._core.call.failure_report import caused_by
from ..._core.call.plan import Plan
from ...errors import RejectedError
from ..plain_data import redact_all
from ..redaction import redact

__all__ = ["SpanTracer", "tracer_of"]

_OF_FAILURE = ("category", "code", "executed")


def tracer_of(provider: Any = None) -> SpanTracer | None:
    """Return a tracer by this provider, or by the global one; None where it makes no spans."""
    return None if isinstance(provider, trace.NoOpTracerProvider) else SpanTracer(provider)


class SpanTracer:
    """Makes the spans of one set of policies. Safe across threads and tasks."""

    def __init__(self, provider: Any = None) -> None:
        self._tracer = trace.get_tracer("resilience", tracer_provider=provider)
        self._current: ContextVar[_CallSpan | None] = ContextVar("resilience_span", default=None)

    def call_span(self, plan: Plan) -> _CallSpan:
        """Return the span of one call."""
        return _CallSpan(self._tracer, plan, self._current)

    def attempt_span(self, plan: Plan, number: int) -> _AttemptSpan:
        """Return the span of one attempt of the call that is under way."""
        call = self._current.get()
        if call is not None:
            call.attempts += 1
        return _AttemptSpan(self._tracer, plan, number)

    def on_event(self, event: Event) -> None:
        """Add an event to the span of the call that it belongs to; the others belong to no call."""
        call = self._current.get()
        if call is not None and call.span.is_recording():  # a task that the call has started may outlive it
            call.on_event(event)


def _report(error: Exception) -> None:
    """Write that a span is lost, as the SDK does for its own errors; without the text, which may hold a secret."""
    getLogger("resilience.call").warning("a span is lost: a part of OpenTelemetry has raised %s", type(error).__name__)


class _Span:
    """A span that is current while it is entered.

    Attributes:
        span: the span of OpenTelemetry.
        steers: whether an exception steers the program; a call that ends with it has not failed, and counts nowhere.
    """

    def __init__(self, tracer: trace.Tracer, plan: Plan, name: str, **attributes: Any) -> None:
        self.steers = plan.control_flow.includes
        names = {"resilience.policy": plan.policy.name, "resilience.operation": redact(plan.operation)}
        try:  # what a program has plugged into the SDK runs here, and an order must not depend on it
            self.span: Span = tracer.start_span(
                redact(name), kind=SpanKind.INTERNAL, attributes={**names, **attributes}
            )
            self._context = trace.set_span_in_context(self.span)
        except Exception as error:
            _report(error)
            self.span, self._context = trace.INVALID_SPAN, contexts.get_current()
        self._token: Token[Any] | None = None

    def __enter__(self) -> Self:
        self._token = contexts.attach(self._context)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        # A task may end it in another context than its own, which then stays.
        if self._token is not None and contexts.get_current() is self._context:
            contexts.detach(self._token)
        if error is not None and not self.steers(error):
            self.fail(error)
        try:
            self.span.end()
        except Exception as failure:  # never in place of the answer of an order that was executed
            _report(failure)

    def fail(self, failed: Any) -> None:
        """Mark the span as failed, by an error or by an answer that is a failure; never by its text."""
        status = None if isinstance(failed, BaseException) else getattr(failed, "status_code", None)
        status = getattr(failed, "status", None) if status is None else status
        kind = str(status) if isinstance(status, int) else caused_by(failed) or ""
        self.span.set_attribute("error.type", kind)
        self.span.set_status(Status(StatusCode.ERROR))


class _AttemptSpan(_Span):
    """The span of one attempt."""

    def __init__(self, tracer: trace.Tracer, plan: Plan, number: int) -> None:
        super().__init__(tracer, plan, f"{plan.operation} attempt", **{"http.request.resend_count": number - 1})


class _CallSpan(_Span):
    """The span of one call.

    Attributes:
        attempts: how many attempts have begun.
    """

    def __init__(self, tracer: trace.Tracer, plan: Plan, current: ContextVar[_CallSpan | None]) -> None:
        super().__init__(tracer, plan, plan.operation)
        self._current, self._around = current, current.get()
        self._outcome = "ok"
        self.attempts = 0

    def __enter__(self) -> Self:
        self._current.set(self)
        return super().__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._current.get() is self:
            self._current.set(self._around)
        if not self.steers(error):
            self.span.set_attribute("resilience.outcome", self._outcome_with(error))
        self.span.set_attribute("resilience.attempts", self.attempts)
        super().__exit__(kind, error, _)

    def on_event(self, event: Event) -> None:
        """Add what was decided, and note how the call has ended."""
        fields = {name: value for name, value in redact_all(event.fields()).items() if name != "at"}
        simple = {f"resilience.{name}": value for name, value in fields.items() if isinstance(value, (str, int, float))}
        self.span.add_event(f"resilience.{event.name}", simple)
        if event.name == "write_unknown":
            self._outcome = "unknown"
        elif event.name == "call_failed":
            self._outcome = "failed" if self._outcome == "ok" else self._outcome
            for name in _OF_FAILURE:
                if name in fields:
                    self.span.set_attribute(f"resilience.{name}", fields[name])

    def _outcome_with(self, error: BaseException | None) -> str:
        if error is None or self._outcome == "unknown":
            return self._outcome
        if not isinstance(error, Exception):
            return "cancelled"
        return "rejected" if isinstance(error, RejectedError) else "failed"
