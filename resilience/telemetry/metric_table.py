"""Lists every metric with its kind, its unit, its attributes and its words. Prometheus and OpenTelemetry use this list.

A new metric is a row here, and a method of `MetricsReader` in `_pipeline/metrics_reader.py` that reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from .._core.stages.durations import Durations

__all__ = ["METRICS", "OTHER", "Metric", "Reading", "Value"]

OTHER = "other"
"""Stands for all values of an attribute beyond the number that is named."""
Value = int | float | tuple[Durations, ...]
"""A number, or the durations of a histogram."""


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: as in OpenTelemetry; Prometheus has `_` for `.`, the unit behind it, and `_total` behind a counter's.
        kind: what its value is.
        about: what it measures.
        attributes: bare names; OpenTelemetry has `resilience.` before each.
        unit: `s` for seconds; else what is counted.
        combine: how values of equal attributes become one.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    about: str
    attributes: tuple[str, ...]
    unit: str = "1"
    combine: Literal["sum", "max"] = "sum"


class Reading(NamedTuple):
    """A metric with its present values, by the values of its attributes."""

    metric: Metric
    values: Mapping[tuple[str, ...], Value]


_CALL = ("policy", "operation", "outcome")
_ROWS = (
    Metric("resilience.calls", "counter", "Calls that have ended, by their outcome.", _CALL, "{call}"),
    Metric("resilience.call.duration", "histogram", "How long calls took, waits and retries included.", _CALL, "s"),
    Metric(
        "resilience.attempts",
        "counter",
        "Attempts that were sent, by what would help (ok for a success) and whether they may have taken effect.",
        ("policy", "operation", "category", "executed"),
        "{attempt}",
    ),
    Metric(
        "resilience.breaker.state",
        "gauge",
        "State of a circuit breaker: 0 closed, 1 half-open, 2 open, 3 isolated.",
        ("policy", "key"),
        combine="max",
    ),
    Metric(
        "resilience.breaker.transitions",
        "counter",
        "How often a circuit breaker has gone to a state.",
        ("policy", "key", "to"),
        "{transition}",
    ),
    Metric(
        "resilience.quota.used", "gauge", "How much of a quota is used now; all of it during a hold.", ("quota", "key")
    ),
    Metric("resilience.quota.limit", "gauge", "How much of a quota may be used.", ("quota", "key")),
    Metric("resilience.quota.wait", "histogram", "How long attempts waited for a quota.", ("quota", "key"), "s"),
    Metric(
        "resilience.hold",
        "gauge",
        "Time until a wait ends that an API has asked for, such as a ban.",
        ("host", "account"),
        "s",
        "max",
    ),
    Metric("resilience.budget.left", "gauge", "Retries that the budget allows now.", ("policy",), "{retry}"),
    Metric("resilience.admission.running", "gauge", "Attempts that run.", ("policy", "lane"), "{attempt}"),
    Metric("resilience.admission.waiting", "gauge", "Attempts that wait for a slot.", ("policy", "lane"), "{attempt}"),
    Metric(
        "resilience.writes_in_doubt",
        "gauge",
        "Writes of which nobody knows whether they took effect. A person has to look.",
        ("operation",),
        "{write}",
    ),
    Metric(
        "resilience.reconciled",
        "counter",
        "Calls whose write was in doubt and was looked up, by what was found.",
        ("operation", "result"),
        "{call}",
    ),
    Metric(
        "resilience.stream.state",
        "gauge",
        "State of a socket: 0 live, 1 connecting, 2 waiting or stale, 3 given up, 4 idle or closed.",
        ("socket",),
        combine="max",
    ),
    Metric(
        "resilience.stream.reconnects", "counter", "How often a socket has reconnected.", ("socket",), "{reconnect}"
    ),
    Metric("resilience.stream.gaps", "counter", "How often updates of a socket were missed.", ("socket",), "{gap}"),
    Metric(
        "resilience.stream.dropped",
        "counter",
        "Updates that a full queue has discarded unread, of the socket's whole client.",
        ("socket",),
        "{update}",
    ),
    Metric("resilience.shared.up", "gauge", "Whether the store of a fleet answers: 1 or 0.", ("namespace",)),
    Metric(
        "resilience.shared.round_trip",
        "histogram",
        "How long the store of a fleet took to answer.",
        ("namespace",),
        "s",
    ),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ROWS}
"""Every metric by its name."""
