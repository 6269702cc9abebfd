"""Tests of the counts of one operation: calls, attempts, lookups, and how long calls took."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from resilience import NOT_FOUND, Category, Failure, Found, Pipeline, Policies, Policy
from resilience._core.call.outcome_counts import OutcomeCounts
from resilience.testing import FakeClock


def failure(category: Category = Category.RETRYABLE, executed: Any = "maybe") -> Failure:
    """Return what an attempt that failed means."""
    return Failure(category, executed=executed)


def test_successful_attempts_are_those_of_the_calls_that_ended_well() -> None:
    """But for the calls that a lookup or a stage has ended."""
    counts = OutcomeCounts()
    next(counts.successes)
    counts.add("ok")
    counts.add("ok", by_attempt=False)
    counts.add("failed")
    for _ in range(2):
        counts.add_failed_attempt(failure())
    counts.add_failed_attempt(failure(Category.FATAL, "no"))
    assert counts.totals() == {"ok": 3, "failed": 1, "rejected": 0, "unknown": 0, "cancelled": 0}
    assert counts.attempts() == {("ok", "n_a"): 2, ("retryable", "maybe"): 2, ("fatal", "no"): 1}


def test_attempts_of_races_are_counted_with_the_others() -> None:
    """The race is one call, and each of its attempts an attempt."""
    counts = OutcomeCounts()
    counts.add("ok", by_attempt=False)
    races = counts.count_races()
    assert counts.count_races() is races
    next(races.successes)
    for one in (races, counts):
        one.add_failed_attempt(failure())
        one.add_reconciled("found")
    assert counts.attempts() == {("ok", "n_a"): 1, ("retryable", "maybe"): 2}
    assert counts.reconciled() == {"found": 2}
    assert counts.totals()["ok"] == 1


def test_durations_are_measured_while_somebody_wants_to_know() -> None:
    """Before and after that nothing is."""
    counts = OutcomeCounts()
    counts.add_duration("ok", 1.0, 0.0)
    assert counts.durations() == {}
    counts.measure(1)
    counts.measure(2)
    counts.add_duration("ok", 1.0, 0.0)
    counts.add_duration("ok", 2.0, 0.5)
    counts.measure_no_more()
    counts.add_duration("ok", 3.0, 0.6)
    assert counts.durations()["ok"].since(0) == ([1.0, 2.0], 2)


WRITE: dict[str, Any] = {
    "deadline": 20, "attempt_timeout": 5, "retry": {"max_attempts": 2},
    "reconcile": {"fence": 5, "early_checks": 1, "wait": 1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("found", "second", "result"),
    [
        (Found(1), None, {"found": 1}),
        (NOT_FOUND, 2, {"not_found": 1}),
        (NOT_FOUND, ValueError(), {"not_found": 1}),
        (ConnectionError(), None, {"unknown": 1}),
    ],
)
def test_a_call_that_was_looked_up_is_counted_once(found: Any, second: Any, result: dict[str, int]) -> None:
    """By what is known when it ends."""
    answers = [TimeoutError(), second]

    def place(*, key: str) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def look_up(_call: Any) -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    pipeline = Pipeline(Policy(name="p", **WRITE), key="key", reconcile=look_up, clock=FakeClock(), log=False)
    with suppress(TimeoutError, ValueError):
        pipeline.compile(place)(key="a")
    counts = next(iter(pipeline.shared.counts.all().values()))
    assert counts.reconciled() == result


def test_a_hedged_call_is_one_call_with_its_attempts() -> None:
    """The race counts once, and how long it took is measured."""
    policies = Policies.from_mapping({"policies": {"p": {"hedge": {"delay": "5s", "threads": True}}}}, log=False)
    reader = policies.read_metrics()
    policies.resilient("p", operation="x", idempotent=True)(lambda: 1)()
    values = {reading.metric.name: reading.values for reading in reader.read()}
    assert values["resilience.calls"]["p", "x", "ok"] == 1
    assert values["resilience.attempts"]["p", "x", "ok", "n_a"] == 1
    assert list(values["resilience.call.duration"]) == [("p", "x", "ok")]
