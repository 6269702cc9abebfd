"""Tests of how the machine's sleep is noticed: by a wall clock that has moved on by more than the monotonic one."""

from __future__ import annotations

import pytest

from resilience._core.call.sleep_watch import SleepWatch
from resilience.testing import FakeClock


@pytest.mark.parametrize(("step", "slept"), [(3600.0, 3600.0), (1.5, 1.5), (1.0, 0.0), (0.4, 0.0), (-3600.0, 0.0)])
def test_a_step_of_the_wall_clock(step: float, slept: float) -> None:
    """A step of more than a second forward is sleep; a smaller one, or one back, is a time server's."""
    clock = FakeClock()
    watch = SleepWatch(clock)
    clock.advance(100.0)
    clock.step_wall(step)
    assert watch.seconds_slept() == pytest.approx(slept)


def test_each_sleep_counts_once() -> None:
    """What was asked for already is not returned again, and a step back hides no later sleep."""
    clock = FakeClock()
    watch = SleepWatch(clock)
    clock.step_wall(60.0)
    assert watch.seconds_slept() == pytest.approx(60.0)
    assert watch.seconds_slept() == 0.0
    clock.step_wall(-600.0)
    assert watch.seconds_slept() == 0.0
    clock.step_wall(30.0)
    assert watch.seconds_slept() == pytest.approx(30.0)
