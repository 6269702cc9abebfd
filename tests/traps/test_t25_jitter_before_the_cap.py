"""Jitter that is added before the cap makes every client wait exactly the cap."""

from __future__ import annotations

from itertools import cycle

import pytest

from resilience import Policy
from resilience._core.policy.backoff import bounds
from resilience._core.policy.sections import BackoffSettings
from resilience._core.stages.retry import Schedule


def naive_delay(attempt: int, noise: float) -> float:
    """Exponential growth, jitter, then the cap."""
    return float(min(0.2 * 2**attempt * (1 + noise), 5.0))


def test_naive() -> None:
    """At the cap all clients wait 5.000 s and come back together."""
    assert {naive_delay(8, noise / 10) for noise in range(10)} == {5.0}


@pytest.mark.parametrize("kind", ["constant", "linear", "exponential", "decorrelated"])
@pytest.mark.parametrize("jitter", ["full", "equal"])
def test_ours(kind: str, jitter: str) -> None:
    """At the cap delays still differ, and none is longer than the cap."""
    policy = Policy(
        retry={"max_attempts": 50, "backoff": {"kind": kind, "initial": "4s", "max": "5s", "jitter": jitter}}
    )
    assert policy.retry is not None
    noise = cycle(number / 10 for number in range(10))
    schedule = Schedule(policy.retry, lambda: next(noise))
    state = schedule.begin(0.0, (), {})
    delays = set()
    for attempt in range(1, 41):
        assert schedule.stops(state, attempt, 0.0, None) is False
        delays.add(schedule.delay(state))
    assert len(delays) > 5
    assert all(0 <= delay <= 5 for delay in delays)


def test_bounds_say_what_may_come() -> None:
    """Full jitter reaches down to nothing, equal jitter to half, none is exact."""
    assert bounds(BackoffSettings(jitter="full"), 3) == (0.0, 0.8)
    assert bounds(BackoffSettings(jitter="equal"), 3) == (0.4, 0.8)
    assert bounds(BackoffSettings(jitter="none"), 3) == (0.8, 0.8)
