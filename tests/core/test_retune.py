"""Tests of parts that take other settings in place: counts, holds and tickets stay."""

from __future__ import annotations

from typing import Any

import pytest

from resilience._core.policy.sections import BreakerSettings, BudgetSettings, QuotaSettings
from resilience._core.stages.breaker import Breaker
from resilience._core.stages.budget import Budget
from resilience._core.stages.outcome_window import CallCountWindow, OutcomeWindow
from resilience._core.stages.quota import Quota
from resilience.testing import FakeClock


def test_a_budget_takes_another_share() -> None:
    """The calls and the retries of before still count."""
    one = Budget(BudgetSettings(ratio=0.2, floor=0), 100.0)
    for _ in range(10):
        one.deposits.add_success(100.0)
    assert one.withdraw(100.0)
    settings = BudgetSettings(ratio=0.5, floor=0.1)
    one.retune(settings)
    assert (one.settings, one.left(100.0)) == (settings, pytest.approx(4))
    one.retune(BudgetSettings(ratio=0, floor=0.3))
    assert one.left(100.0) == pytest.approx(2)


def test_a_window_of_time_takes_another_span() -> None:
    """A shorter one forgets sooner, a longer one remembers longer from now on."""
    for span, counts in ((5.0, (0, 0, 0)), (20.0, (2, 1, 0))):
        one = OutcomeWindow(10.0, 0.0)
        one.add_success(1.0)
        one.add_success(1.0)
        one.add_failure(1.0)
        one.retune(span, 2.0)
        assert one.counts(2.0) == (2, 1, 0)
        assert one.counts(8.0) == counts
        assert (one.span, one.end) == (span, pytest.approx(8.0 + span / 10, abs=span / 10))


def test_a_window_of_calls_takes_another_number() -> None:
    """What a smaller one had forgotten does not come back."""
    one = CallCountWindow(2, 0.0)
    for _ in range(4):
        one.add_success(0.0)
    assert one.counts(0.0) == (2, 0, 0)
    one.retune(10, 0.0)
    assert (one.size, one.counts(0.0)) == (10, (2, 0, 0))
    one.add_failure(0.0)
    assert one.counts(0.0) == (2, 1, 0)
    one.retune(2, 0.0)
    assert one.counts(0.0) == (1, 1, 0)


def breaker(clock: FakeClock, **rules: Any) -> Breaker:
    """Return a breaker that has counted one failure of three calls."""
    one = Breaker(BreakerSettings(**rules), clock.monotonic)
    for _ in range(3):
        one.outcomes.add_success(clock.monotonic())
    one.failed(one.admit(clock.monotonic()), clock.monotonic())  # type: ignore[arg-type]
    return one


def test_a_breaker_takes_other_limits() -> None:
    """The failures of before count towards them."""
    clock = FakeClock()
    one = breaker(clock, min_calls=20)
    one.retune(BreakerSettings(min_calls=2, failure_rate=0.4), 60.0)
    assert one.state == "closed"
    one.failed(one.admit(0.0), 0.0)  # type: ignore[arg-type]
    assert one.state == "open"


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [("10s", "20s", 4), ("10 calls", "20 calls", 4), ("10s", "10s", 4), ("10s", "10 calls", 0), ("10 calls", "10s", 0)],
)
def test_a_window_of_another_kind_begins_anew(before: str, after: str, counted: int) -> None:
    """A window of the same kind keeps its counts."""
    one = breaker(FakeClock(), window=before)
    one.retune(BreakerSettings(window=after), 60.0)  # type: ignore[arg-type]
    assert sum(one.outcomes.counts(0.0)[:2]) == counted
    assert isinstance(one.outcomes, CallCountWindow if "calls" in after else OutcomeWindow)


def test_an_open_breaker_is_open_for_no_longer_than_the_new_settings_allow() -> None:
    """And for no longer than it was before."""
    for longest, ready in ((3.0, 3.0), (50.0, 8.0)):
        clock = FakeClock()
        one = Breaker(BreakerSettings(open_for=8, open_max=9), clock.monotonic)
        one.open()
        one.retune(BreakerSettings(open_for=1, open_max=longest), 60.0)
        assert (one.state, one.ready_at(0.0)) == ("open", ready)


def test_a_breaker_becomes_a_shadow_and_back() -> None:
    """It measures, and rejects nothing meanwhile."""
    clock = FakeClock()
    one = breaker(clock)
    one.open()
    one.retune(BreakerSettings(mode="shadow"), 60.0)
    assert one.admit(0.0) is not None
    one.retune(BreakerSettings(), 60.0)
    assert one.admit(0.0) is None


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.2), (0.2, 0.4), (0.4, 0.0), (0.0, 0.0)])
def test_a_quota_forgets_no_send(before: float, after: float) -> None:
    """Whatever share is reserved before and after: what was sent, and what is held, limits what may be sent."""
    one = Quota(QuotaSettings(rate=10, burst=10, reserve=before))
    for _ in range(4):
        one.common.take(0.0)
    if one.reserved is not None:
        one.reserved.take(0.0)
    one.hold(0.0, 0.5)
    sent = 10 - one.left(0.6)
    settings = QuotaSettings(rate=5, burst=10, reserve=after)
    one.retune(settings)
    assert (one.settings, one.span, one.held_until) == (settings, 2.0, 0.5)
    assert (one.reserved is None) == (after == 0)
    assert one.left(1.9) == 10 - sent
    assert one.left(2.0) == 10


def test_a_reserve_that_is_new_takes_the_sends_that_have_no_place_any_more() -> None:
    """Ten were sent: none of them comes back."""
    one = Quota(QuotaSettings(rate=10, burst=10))
    for _ in range(10):
        one.common.take(0.0)
    one.retune(QuotaSettings(rate=10, burst=10, reserve=0.4))
    assert (one.left(0.9), one.left(1.0)) == (0, 10)
