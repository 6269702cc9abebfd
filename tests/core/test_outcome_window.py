"""Windows at their edges: what is inside, what is forgotten, what another kind of window saved."""

from __future__ import annotations

import pytest

from resilience._core.policy.sections import BreakerSettings
from resilience._core.stages.breaker import Breaker
from resilience._core.stages.outcome_window import CallCountWindow, OutcomeWindow
from resilience.testing import FakeClock


def test_a_slice_begins_at_the_instant_at_which_the_last_one_ends() -> None:
    """What is counted at that very instant is in the new slice, and is forgotten with it."""
    one = OutcomeWindow(10.0, 0.0)
    one.add_success(1.0)
    one.add_success(1.5)
    assert (one.counts(11.0), one.counts(12.0)) == ((2, 0, 0), (0, 0, 0))
    other = OutcomeWindow(10.0, 0.0)
    other.add_success(0.5)
    assert other.counts(20.0) == (0, 0, 0)


def test_another_span_keeps_the_slices_of_before() -> None:
    """A longer span counts them all, a shorter one those inside it to within one; later ones are counted in full."""
    for span, counted in ((20.0, 9), (5.0, 6)):
        one = OutcomeWindow(10.0, 0.0)
        for number in range(9):
            one.add_success(number + 0.5)
        one.retune(span, 9.0)
        assert one.counts(9.0) == (counted, 0, 0)
    one = OutcomeWindow(10.0, 0.0)
    one.retune(20.0, 0.0)
    for number in range(10):
        one.add_success(2.0 * number)
    assert one.counts(19.9) == (10, 0, 0)


def test_counts_of_another_kind_of_window_stay_out() -> None:
    """A policy may have changed its window since they were saved."""
    times, calls = OutcomeWindow(10.0, 0.0), CallCountWindow(10, 0.0)
    for one in (times, calls):
        one.add_failure(0.0)
    saved = times.export(0.0), calls.export(0.0)
    times.load(saved[1], 0.0)
    calls.load(saved[0], 0.0)
    assert (times.counts(0.0), calls.counts(0.0)) == ((0, 0, 0), (0, 0, 0))
    calls.load(saved[1], 0.0)
    assert calls.counts(0.0) == (0, 1, 0)


def breaker(clock: FakeClock, **rules: object) -> Breaker:
    """Return a breaker on this clock."""
    return Breaker(BreakerSettings(**rules), clock.monotonic)  # type: ignore[arg-type]


def fails(one: Breaker, clock: FakeClock) -> None:
    """Let an attempt fail."""
    permit = one.admit(clock.monotonic())
    assert permit is not None
    one.failed(permit, clock.monotonic())


def succeeds(one: Breaker, clock: FakeClock, seconds: float = 0.0) -> None:
    """Let an attempt take this long and succeed."""
    permit, began = one.admit(clock.monotonic()), clock.monotonic()
    assert permit is not None
    clock.advance(seconds)
    one.succeeded(permit, began)


def test_a_share_of_slow_successes_opens_it() -> None:
    """One in four is not a half; two in four are."""
    clock = FakeClock()
    one = breaker(clock, failure_rate=None, slow_rate=0.5, slow_after=1, min_calls=4)
    for seconds in (2.0, 0.0, 0.0, 0.0):
        succeeds(one, clock, seconds)
    one.failed(one.admit(clock.monotonic()), clock.monotonic())  # type: ignore[arg-type]
    assert one.state == "closed"
    for _ in range(3):
        succeeds(one, clock, 2.0)
    assert one.state == "open"


def test_a_slow_success_ends_a_streak() -> None:
    """It begins anew with the next failure."""
    clock = FakeClock()
    one = breaker(clock, failure_rate=None, consecutive=2, slow_rate=1.0, slow_after=1)
    fails(one, clock)
    succeeds(one, clock, 2.0)
    fails(one, clock)
    assert one.state == "closed"
    fails(one, clock)
    assert one.state == "open"


def test_as_many_good_trials_close_it_as_the_policy_says() -> None:
    """Two, one after the other."""
    clock = FakeClock()
    one = breaker(clock, open_for=1, half_open={"permits": 1, "successes": 2})
    one.open()
    clock.advance(1)
    succeeds(one, clock)
    assert one.state == "half-open"
    succeeds(one, clock)
    assert one.state == "closed"


def test_a_permit_that_is_lost_is_given_again() -> None:
    """At the very instant at which it expires."""
    clock = FakeClock()
    one = breaker(clock, open_for=1)
    one.open()
    permit = one.admit(1.0)
    assert permit is not None
    expires = permit.expires  # type: ignore[union-attr]
    assert one.admit(expires - 0.1) is None
    assert one.admit(expires) is not None


def test_an_open_breaker_whose_time_is_over_is_ready() -> None:
    """It says so before anybody asks it."""
    clock = FakeClock()
    one = breaker(clock, open_for=4)
    one.open()
    assert one.describe()["ready_in"] == 4.0
    clock.advance(9)
    assert (one.describe()["ready_in"], one.state) == (0.0, "open")


@pytest.mark.parametrize(("grown", "opens_for"), [(False, 1.0), (True, 4.0)])
def test_growth_outlives_other_settings_while_it_is_open(grown: bool, opens_for: float) -> None:
    """A closed breaker begins with the new time."""
    clock = FakeClock()
    one = breaker(clock, open_for=2, growth=2, open_max=60)
    if grown:
        one.open()
        clock.advance(2)
        fails(one, clock)
    one.retune(BreakerSettings(open_for=1, growth=2, open_max=60), 60.0)
    assert one.describe()["opens_for"] == opens_for


def test_a_breaker_that_learns_of_slowness_hears_of_every_success() -> None:
    """The fast path is closed then, and open again when no listener needs it any more."""
    one = breaker(FakeClock())
    assert one.generation
    one.retune(BreakerSettings(slow_rate=0.5, slow_after=1), 60.0)
    assert not one.generation
    one.retune(BreakerSettings(), 60.0)
    assert one.generation
