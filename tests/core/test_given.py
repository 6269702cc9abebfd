"""Tests of settings whose constructor takes more than is read from them."""

from __future__ import annotations

from datetime import timedelta

from resilience._core.policy.breaker_settings import BreakerSettings
from resilience._core.policy.given import Given, default
from resilience._core.policy.policy import Policy


def test_a_duration_may_be_a_timedelta() -> None:
    """It is read as seconds, like a text."""
    policy = Policy(deadline=timedelta(seconds=20), attempt_timeout="3s")
    assert (policy.deadline, policy.attempt_timeout) == (20.0, 3.0)
    assert BreakerSettings(window=timedelta(minutes=1)).window == 60.0


def test_the_validator_reads_the_type_of_what_is_read() -> None:
    """At run time an annotation is the type of the attribute, and a default is itself."""
    assert Given[int | None, str] == int | None
    assert default("text") == "text"
