"""Tests of the delay after which a hedge starts: the fixed one or the learned one."""

from __future__ import annotations

import pytest

from resilience._core.policy.sections import HedgeSettings
from resilience._core.stages.hedge import HedgeDelay


def paced(times: list[float], percentile: float | None = 0.5) -> HedgeDelay:
    """Return a delay that has learned from these calls."""
    pace = HedgeDelay(HedgeSettings(delay=9, percentile=percentile))
    for seconds in times:
        pace.add(seconds)
    return pace


@pytest.mark.parametrize(("calls", "delay"), [(0, 9.0), (16, 9.0), (20, 9.0), (31, 9.0), (32, 1.0)])
def test_the_fixed_delay_is_used_for_few_calls(calls: int, delay: float) -> None:
    """The fixed delay applies until twenty calls are known and the next sort, one per sixteen calls, is due."""
    assert paced([1.0] * calls).delay == delay


def test_without_a_percentile_the_delay_stays() -> None:
    """Without a percentile nothing is learned."""
    assert paced([1.0] * 64, None).delay == 9.0


@pytest.mark.parametrize(("percentile", "delay"), [(0.01, 0.0), (0.5, 16.0), (0.95, 30.0), (1.0, 31.0)])
def test_the_delay_is_that_percentile(percentile: float, delay: float) -> None:
    """The order of the calls does not matter."""
    assert paced([float(number) for number in reversed(range(32))], percentile).delay == delay


def test_the_percentile_is_computed_every_sixteen_calls() -> None:
    """Between two sorts the old delay is used."""
    pace = paced([1.0] * 32)
    for _ in range(15):
        pace.add(5.0)
    assert pace.delay == 1.0
    for _ in range(33):
        pace.add(5.0)
    assert pace.delay == 5.0


@pytest.mark.parametrize(("newer", "longest"), [(112, 8.0), (128, 1.0)])
def test_old_calls_are_forgotten(newer: int, longest: float) -> None:
    """The last 128 calls count; each new one replaces the oldest."""
    pace = paced([8.0] * 128, 1.0)
    for _ in range(newer):
        pace.add(1.0)
    assert (pace.delay, len(pace._recent)) == (longest, 128)
