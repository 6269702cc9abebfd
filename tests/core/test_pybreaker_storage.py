"""Tests of what the state in a pybreaker storage means for a breaker, and of what is written there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from resilience._core.policy.sections import BreakerSettings
from resilience._core.stages.breaker import Breaker
from resilience._core.stages.pybreaker_storage import (
    BY_STORAGE,
    StoredState,
    follow,
    has_lost_memory,
    read_state,
    state_to_write,
)
from resilience.testing import FakeClock

SETTINGS = BreakerSettings(consecutive=1, open_for=10.0, open_max=60.0)
CLOSED, OPEN = StoredState("closed", None), StoredState("open", 1000.0)


def new_breaker(clock: FakeClock, settings: BreakerSettings = SETTINGS) -> Breaker:
    """Return a closed breaker."""
    return Breaker(settings, clock.monotonic, policy="p", wall_clock=clock.time, key="p")


@pytest.mark.parametrize(
    ("opened_at", "expected"),
    [
        (datetime.fromtimestamp(1000, UTC), 1000.0),
        (datetime(1970, 1, 1, 0, 16, 40), 1000.0),  # noqa: DTZ001  # as older versions of pybreaker return it
        (None, None),
        (12, None),
    ],
)
def test_a_date_without_a_zone_is_utc(opened_at: object, expected: float | None) -> None:
    """What is no date is unknown."""
    assert read_state("open", opened_at) == StoredState("open", expected)


@pytest.mark.parametrize("state", [None, "", b"open", "isolated"])
def test_what_is_no_state_is_an_error(state: object) -> None:
    """It is reported, and no breaker follows it."""
    with pytest.raises(ValueError, match="no state"):
        read_state(state, None)


def test_a_storage_that_has_forgotten_when_it_was_opened_is_gone_or_empty() -> None:
    """One that has never known it has lost nothing."""
    assert has_lost_memory(OPEN, CLOSED)
    assert not has_lost_memory(OPEN, StoredState("closed", 1000.0))
    assert not has_lost_memory(CLOSED, CLOSED)
    assert not has_lost_memory(None, CLOSED)


def test_a_breaker_that_was_opened_a_moment_ago_is_open_for_its_own_open_time() -> None:
    """The clock of the other program does not count."""
    clock = FakeClock()
    breaker = new_breaker(clock)
    follow(breaker, CLOSED, OPEN, clock.time(), is_new=True)
    assert (breaker.state, breaker.opened_by) == ("open", BY_STORAGE)
    assert breaker.ready_at(clock.monotonic()) == clock.monotonic() + 10.0
    assert state_to_write(breaker, OPEN, clock.time()) is None  # it was read


@pytest.mark.parametrize(("age", "left"), [(4.0, 6.0), (10.0, 0.0), (600.0, 0.0), (-600.0, 10.0)])
def test_a_program_that_starts_later_obeys_what_is_left(age: float, left: float) -> None:
    """A clock that is wrong never makes the time longer than its settings allow."""
    clock = FakeClock()
    breaker = new_breaker(clock)
    follow(breaker, None, StoredState("open", clock.time() - age), clock.time(), is_new=False)
    assert breaker.state == "open"
    assert breaker.ready_at(clock.monotonic()) == clock.monotonic() + left


def test_a_breaker_is_never_open_for_a_shorter_time_because_of_others() -> None:
    """It keeps its own reason too."""
    clock = FakeClock()
    breaker = new_breaker(clock)
    permit = breaker.admit_closed()
    breaker.failed(permit, clock.monotonic(), ConnectionRefusedError())
    follow(breaker, CLOSED, StoredState("half-open", 1000.0), clock.time(), is_new=True)
    assert breaker.ready_at(clock.monotonic()) == clock.monotonic() + 10.0
    assert breaker.opened_by == "failures, at last ConnectionRefusedError"
    clock.advance(4)
    follow(breaker, CLOSED, OPEN, clock.time(), is_new=True)
    assert breaker.ready_at(clock.monotonic()) == clock.monotonic() + 10.0


def test_a_half_open_storage_means_a_trial() -> None:
    """A closed breaker admits one attempt at a time from then on."""
    clock = FakeClock()
    breaker = new_breaker(clock)
    follow(breaker, CLOSED, StoredState("half-open", None), clock.time(), is_new=True)
    assert breaker.admit(clock.monotonic()) is not None
    assert breaker.state == "half-open"
    assert breaker.admit(clock.monotonic()) is None


def test_a_breaker_closes_with_the_others() -> None:
    """Not because a storage says "closed" for the first time."""
    clock = FakeClock()
    breaker = new_breaker(clock)
    breaker.open()
    follow(breaker, None, CLOSED, clock.time(), is_new=False)
    assert breaker.state == "open"
    follow(breaker, OPEN, StoredState("closed", 1000.0), clock.time(), is_new=True)
    assert breaker.state == "closed"
    breaker.follow_closed()
    assert breaker.state == "closed"


def test_an_isolated_breaker_follows_nobody() -> None:
    """Nor is it written: pybreaker has no such state."""
    clock = FakeClock()
    breaker = new_breaker(clock)
    breaker.isolate()
    follow(breaker, CLOSED, OPEN, clock.time(), is_new=True)
    follow(breaker, OPEN, StoredState("closed", 1000.0), clock.time(), is_new=True)
    assert breaker.state == "isolated"
    assert state_to_write(breaker, CLOSED, clock.time()) is None


def test_a_shadow_breaker_follows_nobody() -> None:
    """It measures what it would do alone, and opens no breaker of others."""
    clock = FakeClock()
    breaker = new_breaker(clock, BreakerSettings(consecutive=1, open_for=10.0, open_max=60.0, mode="shadow"))
    follow(breaker, CLOSED, OPEN, clock.time(), is_new=True)
    assert breaker.state == "closed"
    breaker.open()
    follow(breaker, OPEN, StoredState("closed", 1000.0), clock.time(), is_new=True)
    assert breaker.state == "open"
    assert state_to_write(breaker, CLOSED, clock.time()) is None


def test_what_has_changed_here_is_written() -> None:
    """With the instant of the change, and not twice."""
    clock = FakeClock()
    breaker = new_breaker(clock)
    assert state_to_write(breaker, CLOSED, 7.0) is None
    assert state_to_write(breaker, None, 7.0) == CLOSED
    breaker.open()
    assert state_to_write(breaker, CLOSED, 7.0) == StoredState("open", 7.0)
    clock.advance(10)
    assert breaker.admit(clock.monotonic()) is not None
    assert state_to_write(breaker, OPEN, 7.0) == StoredState("half-open", 1000.0)


def test_the_next_open_time_is_that_of_the_others() -> None:
    """Within the breaker's own settings."""
    clock = FakeClock()
    breaker = new_breaker(clock)
    breaker.follow_open(5.0, "others", open_for=20.0)
    assert breaker.describe()["opens_for"] == 20.0
    breaker.follow_open(5.0, "others", open_for=600.0)
    assert breaker.describe()["opens_for"] == 60.0
    breaker.follow_open(600.0, "others", open_for=1.0, emit=False)
    assert breaker.describe()["opens_for"] == 10.0
    assert breaker.ready_at(clock.monotonic()) == clock.monotonic() + 60.0
