"""A breaker on the wall clock stays open for too long or too short when the clock is set."""

from __future__ import annotations

import datetime as dt

import pybreaker
import pytest

from resilience import CircuitOpenError, Pipeline, Policy
from resilience.testing import FakeClock


def test_naive() -> None:
    """Pybreaker stores the date of opening: if the clock is set back an hour, it stays open an hour longer."""
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=0)
    breaker.open()
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    breaker._state_storage.opened_at = ahead
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(lambda: "never asked")


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_ours(step: float) -> None:
    """The open time does not depend on the wall clock."""
    clock = FakeClock()
    pipeline = Pipeline(Policy(breaker={"consecutive": 1, "open_for": "10s"}), clock=clock)
    with pytest.raises(ConnectionRefusedError):
        pipeline.call(_down)
    clock.step_wall(step)
    clock.advance(9)
    with pytest.raises(CircuitOpenError):
        pipeline.call(lambda: "refused")
    clock.advance(1.1)
    assert pipeline.call(lambda: "fine") == "fine"


def _down() -> None:
    raise ConnectionRefusedError
