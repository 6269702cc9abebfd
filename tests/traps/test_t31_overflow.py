"""After many attempts 2**n overflows, and noise on infinity is not a number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience._core.policy.backoff import bounds
from resilience._core.policy.sections import BackoffSettings, RetrySettings
from resilience._core.stages.retry import Schedule


def test_naive() -> None:
    """A float cannot hold 2.0**1024, and infinity minus itself is nan."""
    with pytest.raises(OverflowError):
        min(0.2 * 2.0**1024, 5.0)
    assert math.isnan(math.inf - math.inf)


BACKOFFS = st.builds(
    BackoffSettings,
    kind=st.sampled_from(["constant", "linear", "exponential", "decorrelated"]),
    initial=st.floats(0, 3600),
    factor=st.floats(1, 100),
    max=st.floats(0, 86400),
    jitter=st.sampled_from(["none", "full", "equal"]),
)


@given(BACKOFFS, st.integers(1, 10**9))
def test_ours(backoff: BackoffSettings, attempt: int) -> None:
    """Whatever the attempt's number, the delay is a number between 0 and the cap."""
    low, high = bounds(backoff, attempt)
    assert 0 <= low <= high <= backoff.max
    schedule = Schedule(RetrySettings(backoff=backoff), lambda: 0.999)
    state = schedule.begin(0.0, (), {})
    for number in (attempt, attempt + 1):
        schedule.stops(state, number, 0.0, None)
        assert 0 <= schedule.delay(state) <= backoff.max
