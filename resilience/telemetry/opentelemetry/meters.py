"""Exports metrics by the instruments of a meter. They are read when an exporter collects, and cost a call nothing.

OpenTelemetry has no histogram that is read. So durations are kept one by one, and recorded when they are collected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from threading import RLock
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from ..._core.stages.durations import BOUNDS, Durations
from ..metric_table import METRICS, Metric, Value

__all__ = ["Meters", "meters_of"]

KEPT = 100_000  # durations of one operation and outcome between two collections; older ones are not exported
_Values = dict[tuple[str, ...], Any]


class Meters:
    """The instruments of one meter provider, for all policies that are exported there. Safe across threads."""

    def __init__(self, provider: Any) -> None:
        meter = metrics.get_meter("resilience", meter_provider=provider)
        self._readers: list[Any] = []
        self._seen: WeakKeyDictionary[Durations, int] = WeakKeyDictionary()
        self._lock = RLock()
        self._values: dict[str, _Values] = {}
        self._collected: set[str] = set(METRICS)
        self._histograms: dict[str, Any] = {}
        for metric in METRICS.values():
            if metric.kind == "histogram":
                self._histograms[metric.name] = meter.create_histogram(
                    metric.name,
                    unit=metric.unit,
                    description=metric.about,
                    explicit_bucket_boundaries_advisory=BOUNDS,
                )
            else:
                kind = "create_observable_counter" if metric.kind == "counter" else "create_observable_gauge"
                callbacks = [partial(self._observe, metric)]
                getattr(meter, kind)(metric.name, callbacks=callbacks, unit=metric.unit, description=metric.about)

    def export(self, policies: Any) -> Callable[[], None]:
        """Export the metrics of these policies until the returned function is called. What was before is not recorded.

        The counters begin with what has been counted so far.
        """
        reader = policies.read_metrics(kept=KEPT)
        with self._lock:
            for metric, values in reader.read():
                for value in values.values() if metric.kind == "histogram" else ():
                    for durations in value:
                        self._seen[durations] = durations.since(0)[1]
            self._readers.append(reader)

        def stop() -> None:
            reader.close()
            with self._lock:
                self._read()  # which records what was measured since the last collection
                self._readers.remove(reader)
                self._values, self._collected = {}, set(METRICS)

        return stop

    def _observe(self, metric: Metric, _options: CallbackOptions) -> Iterable[Observation]:
        """Return the values of a metric. A collection asks once for each: the first one reads them all."""
        with self._lock:
            if metric.name in self._collected:
                self._read()
            self._collected.add(metric.name)
            values = self._values.get(metric.name, {})
        return [Observation(value, _attributes(metric, names)) for names, value in values.items()]

    def _read(self) -> None:
        self._collected.clear()
        self._values = {name: {} for name in METRICS}
        for reader in self._readers:
            for metric, values in reader.read():
                for names, value in values.items():
                    self._take(metric, names, value)

    def _take(self, metric: Metric, names: tuple[str, ...], value: Value) -> None:
        if isinstance(value, tuple):
            self._record(metric, names, value)
            return
        same = self._values[metric.name]
        before = same.get(names, 0)
        same[names] = max(before, value) if metric.combine == "max" else before + value

    def _record(self, metric: Metric, names: tuple[str, ...], value: tuple[Durations, ...]) -> None:
        record, attributes = self._histograms[metric.name].record, _attributes(metric, names)
        for durations in value:
            new, self._seen[durations] = durations.since(self._seen.get(durations, 0))
            for seconds in new:
                record(seconds, attributes)


_METERS: WeakKeyDictionary[Any, Meters] = WeakKeyDictionary()
"""The instruments of each provider: a second one of a name would be a duplicate."""
_METERS_LOCK = RLock()
_GLOBAL: list[Meters] = []
"""Those of the global provider. A stand-in is there before a program sets it, whose instruments go on."""


def meters_of(provider: Any = None) -> Meters | None:
    """Return the instruments of this provider, or of the global one; None where it exports nothing."""
    provider = provider or metrics.get_meter_provider()
    if isinstance(provider, metrics.NoOpMeterProvider):
        return None
    with _METERS_LOCK:
        is_global = provider is metrics.get_meter_provider()
        meters = _METERS.get(provider) or (_GLOBAL[0] if is_global and _GLOBAL else None)
        if meters is None:
            meters = _METERS[provider] = Meters(provider)
        if is_global:
            _GLOBAL[:] = [meters]
    return meters


def _attributes(metric: Metric, names: tuple[str, ...]) -> dict[str, str]:
    """Return attributes with their prefix; those that do not apply are left out."""
    pairs = zip(metric.attributes, names, strict=True)
    return {f"resilience.{attribute}": name for attribute, name in pairs if name}
