"""A result of a call that was admitted before the trip must not settle the half-open state."""

from __future__ import annotations

from resilience import Policy
from resilience._core.stages.breaker import Breaker
from resilience.testing import FakeClock


class Naive:
    """A breaker without generations: any success while half-open closes it."""

    def __init__(self) -> None:
        self.state = "closed"

    def succeeded(self) -> None:
        if self.state == "half-open":
            self.state = "closed"


def test_naive() -> None:
    """A success from before the outage closes it."""
    breaker = Naive()
    breaker.state = "half-open"
    breaker.succeeded()
    assert breaker.state == "closed"


def made(clock: FakeClock) -> Breaker:
    """A breaker that opens at the first failure."""
    rules = Policy(breaker={"consecutive": 1, "open_for": "1s"}).breaker
    assert rules is not None
    return Breaker(rules, clock.monotonic)


def test_a_late_success_changes_nothing() -> None:
    """Admitted while closed, settled while half-open: it counts nowhere."""
    clock = FakeClock()
    breaker = made(clock)
    late, first = breaker.admit(0), breaker.admit(0)
    assert late is not None
    assert first is not None
    breaker.failed(first, 0)
    clock.advance(1.1)
    trial = breaker.admit(clock.monotonic())
    breaker.succeeded(late, clock.monotonic())
    assert breaker.state == "half-open"
    assert trial is not None
    breaker.succeeded(trial, clock.monotonic())
    assert breaker.state == "closed"


def test_a_late_failure_changes_nothing() -> None:
    """Nor does a failure of an older generation re-open it, or trip it after it closed."""
    clock = FakeClock()
    breaker = made(clock)
    late, first = breaker.admit(0), breaker.admit(0)
    assert late is not None
    assert first is not None
    breaker.failed(first, 0)
    clock.advance(1.1)
    trial = breaker.admit(clock.monotonic())
    assert trial is not None
    breaker.failed(late, clock.monotonic())
    assert breaker.state == "half-open"
    breaker.succeeded(trial, clock.monotonic())
    breaker.failed(late, clock.monotonic())
    assert breaker.state == "closed"
