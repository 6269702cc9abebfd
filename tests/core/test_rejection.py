"""Tests of first attempts that an open breaker rejects, or that wait for it."""

from __future__ import annotations

import pytest

from resilience import CircuitOpenError, Pipeline, Policy
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.rejection import open_breaker_rejections
from resilience.testing import FakeClock


def test_a_first_attempt_waits_for_the_breaker_no_longer_than_it_must() -> None:
    """With `when_open: wait` it waits once, for the open time."""
    clock = FakeClock()
    pipeline = Pipeline(Policy(deadline="10s", breaker={"when_open": "wait", "open_for": "2s"}), clock=clock)  # type: ignore[arg-type]
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    assert pipeline.compile(lambda: "fine")() == "fine"
    assert clock.sleeps == [2.0]


def test_a_rejection_without_a_listener() -> None:
    """No event is made, and the caller gets the same error."""
    pipeline = Pipeline(Policy(breaker={"consecutive": 1}), log=False)
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    with pytest.raises(CircuitOpenError):
        pipeline.call(len, "abc")


def test_a_breaker_that_is_closed_while_it_rejects() -> None:
    """The caller may come again at once; each rejection is counted by the operation and by the breaker."""
    clock = FakeClock()
    pipeline = Pipeline(Policy(breaker={"consecutive": 1}), clock=clock, log=False)
    plan = pipeline.plan(len, OperationInfo(operation="op"))
    assert plan.breaker is not None
    reject = open_breaker_rejections(plan)
    error = reject(plan.breaker, None, clock.monotonic())
    assert isinstance(error, CircuitOpenError)
    assert (error.retry_after, error.retry_at) == (0.0, clock.time())
    assert (plan.counts.totals()["rejected"], next(plan.breaker.refusals)) == (1, 1)
