"""Exports the metrics of policies to Prometheus: a collector that reads them at each scrape. The only importer.

Nothing is counted for it but what is counted anyway, and how long calls take.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .._core.stages.durations import BOUNDS, merged
from .metric_table import METRICS, Metric, Reading

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

__all__ = ["MetricsCollector", "collector", "prometheus_name"]

_MISSING = "metrics for Prometheus need prometheus_client: pip install 'resilience-middleware[prometheus]'"
_LABELS = [*map(str, BOUNDS), "+Inf"]


class MetricsCollector:
    """A collector for any registry of `prometheus_client`. Safe across threads.

    A forked child has the counts of its parent at that moment, and goes on from there.
    """

    def __init__(self, policies: Any) -> None:
        """Begin to measure how long the calls of a `Policies` take."""
        self._reader = policies.read_metrics()

    def describe(self) -> Iterator[Family]:
        """Yield every metric without a value: a registry refuses a second collector with the same names."""
        return map(_family, METRICS.values())

    def collect(self) -> Iterator[Family]:
        """Yield every metric with its present values. Metrics without a value are left out."""
        return (_filled(reading) for reading in self._reader.read() if reading.values)

    def close(self) -> None:
        """Stop measuring calls. What was measured can still be read until you unregister the collector."""
        self._reader.close()


def collector(policies: Any) -> MetricsCollector:
    """Return a collector of the metrics of these policies. Register it with a `CollectorRegistry`.

    Raises:
        ModuleNotFoundError: prometheus_client is not installed.
        TypeError: the argument is not a `Policies` object.

    Example:
        >>> from prometheus_client import REGISTRY, start_http_server
        >>> REGISTRY.register(collector(policies))  # doctest: +SKIP
        >>> start_http_server(9464, addr="127.0.0.1")  # doctest: +SKIP
    """
    if isinstance(policies, type) or not hasattr(policies, "read_metrics"):
        raise TypeError(f"policies: expected Policies, got {type(policies).__name__}")
    try:
        import prometheus_client  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(_MISSING, name=error.name) from None
    return MetricsCollector(policies)


def prometheus_name(metric: Metric) -> str:
    """Return the name of a metric in Prometheus, with its unit but without `_total`."""
    name = metric.name.replace(".", "_")
    return f"{name}_seconds" if metric.unit == "s" else name


def _family(metric: Metric) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    kinds: dict[str, Any] = {
        "counter": CounterMetricFamily,
        "gauge": GaugeMetricFamily,
        "histogram": HistogramMetricFamily,
    }
    return kinds[metric.kind](prometheus_name(metric), metric.about, labels=metric.attributes)


def _filled(reading: Reading) -> Any:
    family: Any = _family(reading.metric)
    for attributes, value in reading.values.items():
        if isinstance(value, tuple):
            histogram = merged(value)
            total, buckets = 0, []
            for label, count in zip(_LABELS, histogram.counts, strict=True):
                total += count
                buckets.append((label, float(total)))
            family.add_metric(attributes, buckets, sum_value=histogram.total)
        else:
            family.add_metric(attributes, value)
    return family
