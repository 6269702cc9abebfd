"""Tests of a venue's socket limits, and of how they scale when time runs faster."""

from __future__ import annotations

from dataclasses import fields

import pytest

from resilience._core.policy.stream_limits import MessageRate, StreamSettings


def test_limits_where_time_runs_faster() -> None:
    """Durations are divided by the pace and rates multiplied by it; counts and names stay."""
    before = StreamSettings(frames=MessageRate(rate=8, burst=4), renew_after=None)
    after = before.scaled(4)
    for field in fields(StreamSettings):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if isinstance(old, MessageRate):
            assert new == MessageRate(rate=old.rate * 4, burst=old.burst)
        else:
            assert new == (pytest.approx(old / 4) if isinstance(old, float) else old)
    assert (before.frames.span, after.frames.span) == (0.5, 0.125)
    assert (before.connects.span, before.subscribes.span) == (pytest.approx(300), pytest.approx(3600))
