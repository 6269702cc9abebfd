"""Exports metrics to OpenTelemetry, and traces calls. Only this package imports `opentelemetry`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

__all__ = ["instrument"]

_MISSING = "traces and metrics for OpenTelemetry need its API: pip install 'resilience-middleware[otel]'"
_instrumented: WeakSet[Any] = WeakSet()


def instrument(policies: Any, tracer_provider: Any = None, meter_provider: Any = None) -> Callable[[], None]:
    """Export the metrics of these policies and trace their calls, until the returned function is called.

    Each call has a span, with a child span per attempt (`http.request.resend_count` is the attempt's number minus 1)
    and span events for decisions. The spans of an instrumented client are inside those of the attempts. A pipeline that
    was made from a `Policy` before is not traced.

    Args:
        policies: the `Policies` whose calls are measured and traced.
        tracer_provider: makes the tracer; the global one by default. With `NoOpTracerProvider()` nothing is traced.
        meter_provider: makes the meter; the global one by default. With `NoOpMeterProvider()` nothing is measured.

    Returns:
        A function that ends it. The instruments of a meter cannot be removed; they export nothing from then on.

    Raises:
        ModuleNotFoundError: OpenTelemetry's API is not installed.
        TypeError: the argument is not a `Policies` object.
        RuntimeError: they are instrumented already: each call would be counted and traced twice.
    """
    if isinstance(policies, type) or not hasattr(policies, "trace_calls"):
        raise TypeError(f"policies: expected Policies, got {type(policies).__name__}")
    try:
        from .meters import meters_of
        from .spans import tracer_of
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise ModuleNotFoundError(_MISSING, name=error.name) from None
    if policies in _instrumented:
        raise RuntimeError("these policies are instrumented already: call what `instrument` has returned first")
    stops: list[Callable[[], None]] = []
    tracer, meters = tracer_of(tracer_provider), meters_of(meter_provider)
    _instrumented.add(policies)  # not before: a wrong provider has instrumented nothing
    if tracer is not None:
        stops += [policies.subscribe(tracer.on_event), policies.trace_calls(tracer)]
    if meters is not None:
        stops.append(meters.export(policies))

    def undo() -> None:
        while stops:
            stops.pop()()
        _instrumented.discard(policies)

    return undo
