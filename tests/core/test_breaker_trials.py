"""Tests of trials that are granted by a lease, because the breakers of several processes are open together."""

from __future__ import annotations

import asyncio

import pytest

from resilience import CircuitOpenError, Pipeline, Policy
from resilience._core.policy.sections import BreakerSettings
from resilience._core.stages.breaker import Breaker
from resilience.testing import FakeClock

SETTINGS = BreakerSettings(consecutive=1, open_for=10.0, open_max=60.0)


class Lease:
    """A lease that grants what a test says.

    Attributes:
        count: trials that may be out.
        grants: the answers that come, one for each further question.
    """

    def __init__(self, clock: FakeClock, *grants: int, patience: float = 0.05) -> None:
        self.clock = clock
        self.count = 0
        self.grants = list(grants)
        self.asked_until = float("-inf")
        self.patience = patience
        self.questions = 0

    def permits(self, now: float, wanted: int) -> int:
        """Return what is granted, and ask once."""
        assert wanted == 1
        self.questions += 1
        if self.questions == 1:
            self.asked_until = now + self.patience
        elif self.grants:
            self.count = self.grants.pop(0)
        return self.count


def open_breaker(clock: FakeClock) -> Breaker:
    """Return a breaker whose open time is over."""
    breaker = Breaker(SETTINGS, clock.monotonic, lost_after=20.0)
    breaker.open()
    clock.advance(10)
    return breaker


def test_without_a_lease_there_is_no_trial() -> None:
    """The breaker stays open until the trial is granted."""
    clock = FakeClock()
    breaker = open_breaker(clock)
    breaker.lease = lease = Lease(clock, 0, 1)
    assert breaker.lost_after == 20.0
    assert [breaker.admit(clock.monotonic()) for _ in range(2)] == [None, None]
    assert breaker.state == "open"
    permit = breaker.admit(clock.monotonic())
    assert permit is not None
    assert breaker.admit(clock.monotonic()) is None
    assert lease.questions == 4
    breaker.succeeded(permit, clock.monotonic())
    assert breaker.state == "closed"


def test_a_cancel_waits_for_no_lease() -> None:
    """It gets a spare permit, one at a time."""
    clock = FakeClock()
    breaker = open_breaker(clock)
    breaker.lease = Lease(clock)
    assert breaker.admit(clock.monotonic(), high_priority=True) is not None
    assert breaker.admit(clock.monotonic(), high_priority=True) is None
    assert breaker.admit(clock.monotonic()) is None


def new_pipeline(clock: FakeClock) -> Pipeline:
    """Return a pipeline whose breaker's open time is over."""
    pipeline = Pipeline(Policy(name="p", breaker={"consecutive": 1, "open_for": 10.0}, retry=None), clock=clock)
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    clock.advance(10)
    return pipeline


def test_a_call_waits_for_the_answer() -> None:
    """In small steps, and is the trial if that is granted. Sync and async."""
    clock = FakeClock()
    pipeline = new_pipeline(clock)
    assert pipeline.breaker is not None
    pipeline.breaker.lease = Lease(clock, 0, 0, 1)
    assert pipeline.call(len, "abc") == 3
    assert clock.sleeps == pytest.approx([0.005] * 3)
    assert pipeline.breaker.state == "closed"

    async def size(text: str) -> int:
        return len(text)

    other = new_pipeline(clock)
    assert other.breaker is not None
    other.breaker.lease = Lease(clock, 0, 1)
    assert asyncio.run(other.acall(size, "abc")) == 3
    assert clock.sleeps == pytest.approx([0.005] * 5)


def test_a_call_waits_no_longer_than_the_patience() -> None:
    """Then it is rejected; later calls do not wait."""
    clock = FakeClock()
    pipeline = new_pipeline(clock)
    assert pipeline.breaker is not None
    pipeline.breaker.lease = lease = Lease(clock, patience=0.012)
    with pytest.raises(CircuitOpenError):
        pipeline.call(len, "abc")
    assert sum(clock.sleeps) == pytest.approx(0.012)
    assert len(clock.sleeps) == 3
    with pytest.raises(CircuitOpenError):
        pipeline.call(len, "abc")
    assert len(clock.sleeps) == 3
    assert lease.questions == 5


def test_a_call_does_not_wait_beyond_its_deadline() -> None:
    """The answer would come too late."""
    clock = FakeClock()
    policy = Policy(name="p", deadline=0.004, attempt_timeout=0.004, breaker={"open_for": 10.0}, retry=None)
    pipeline = Pipeline(policy, clock=clock)
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    clock.advance(10)
    pipeline.breaker.lease = Lease(clock)
    with pytest.raises(CircuitOpenError):
        pipeline.call(len, "abc")
    assert clock.sleeps == []


def test_an_open_breaker_asks_for_nothing() -> None:
    """Only its end makes a trial possible."""
    clock = FakeClock()
    pipeline = new_pipeline(clock)
    assert pipeline.breaker is not None
    pipeline.breaker.lease = lease = Lease(clock)
    pipeline.breaker.open()
    with pytest.raises(CircuitOpenError):
        pipeline.call(len, "abc")
    assert lease.questions == 0


def test_a_spare_trial_takes_no_ordinary_permit() -> None:
    """When the ordinary trial has ended and the spare one of a cancel is still out, another ordinary one begins."""
    clock = FakeClock()
    breaker = open_breaker(clock)
    first = breaker.admit(clock.monotonic())
    assert breaker.admit(clock.monotonic()) is None
    assert breaker.admit(clock.monotonic(), high_priority=True) is not None  # the spare one
    assert breaker.admit(clock.monotonic(), high_priority=True) is None
    assert first is not None
    breaker.released(first)
    assert breaker.admit(clock.monotonic()) is not None
