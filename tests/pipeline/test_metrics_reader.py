"""Tests of the reader of metrics: how many names are exported, and when calls are measured."""

from __future__ import annotations

import pytest

from resilience import Policies
from resilience._pipeline import metrics_reader
from resilience._pipeline.metrics_reader import MetricsReader


def call(policies: Policies, *operations: str) -> None:
    """Make a call of each operation."""
    for operation in operations:
        policies.resilient("default", operation=operation)(lambda: 1)()


def calls_of(reader: MetricsReader) -> dict[str, float]:
    """Return the successful calls by operation."""
    values = {reading.metric.name: reading.values for reading in reader.read()}
    return {operation: n for (_, operation, outcome), n in values["resilience.calls"].items() if outcome == "ok"}  # type: ignore[misc]


def test_names_beyond_a_number_are_counted_as_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations that come late share one series, and those that were there before keep theirs."""
    monkeypatch.setattr(metrics_reader, "MAX_NAMES", 2)
    policies = Policies.builtin(log=False)
    reader = policies.read_metrics()
    call(policies, "b", "c", "d")
    assert calls_of(reader) == {"b": 1, "c": 1, "other": 1}
    call(policies, "a", "b", "c")
    assert calls_of(reader) == {"b": 2, "c": 2, "other": 2}


def test_calls_are_measured_until_the_last_reader_is_closed() -> None:
    """Operations that come meanwhile are measured too."""
    policies = Policies.builtin(log=False)
    readers = [policies.read_metrics(), policies.read_metrics(kept=1)]
    call(policies, "a")
    readers[0].close()
    call(policies, "a", "b")
    readers[1].close()
    call(policies, "a", "b")
    values = {reading.metric.name: reading.values for reading in readers[0].read()}
    durations = values["resilience.call.duration"]
    assert {name[1]: one.since(0)[1] for name, (one,) in durations.items()} == {"a": 2, "b": 1}  # type: ignore[misc]
