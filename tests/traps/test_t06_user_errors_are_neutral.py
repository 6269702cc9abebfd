"""A user-fixable answer is neither a success nor a failure of the service."""

from __future__ import annotations

import pybreaker
import pytest

from resilience import CircuitOpenError, Pipeline, Policy
from resilience.testing import FakeClock


class Funds(Exception):
    """An account without funds, which only the user can fix."""

    status_code = 402


class Down(Exception):
    """The service is down."""

    status_code = 503


def raising(error: type[Exception]) -> None:
    """Return a function that raises this error."""
    raise error


def outcome(pipeline: Pipeline, error: type[Exception]) -> None:
    """Make one call that ends with this error."""
    with pytest.raises(error):
        pipeline.call(raising, error)


def test_naive() -> None:
    """An excluded error counts as a success and resets pybreaker's counter, so two outages in turn never trip it."""
    breaker = pybreaker.CircuitBreaker(fail_max=2, exclude=[Funds])
    for error in (Down, Funds, Down, Funds, Down):
        with pytest.raises(error):
            breaker.call(raising, error)
    assert breaker.current_state == "closed"


def test_ours_keeps_the_consecutive_failures() -> None:
    """A user error does not reset the number of consecutive failures."""
    pipeline = Pipeline(Policy(breaker={"consecutive": 2}))
    for error in (Down, Funds, Down):
        outcome(pipeline, error)
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "open"


def test_ours_does_not_dilute_the_rate() -> None:
    """Ten user errors beside four failures have the failure rate of four failures."""
    rules = {"failure_rate": 1.0, "min_calls": 4}
    pipeline = Pipeline(Policy(breaker=rules), clock=FakeClock())  # type: ignore[arg-type]
    for error in (Down, Funds, Funds, Down, Funds, Down, Funds, Down):
        outcome(pipeline, error)
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "open"


def test_in_half_open_the_permit_is_released() -> None:
    """A user error neither closes nor opens the breaker: the next call is the trial."""
    clock = FakeClock()
    pipeline = Pipeline(Policy(breaker={"consecutive": 1, "open_for": "1s"}), clock=clock)
    outcome(pipeline, Down)
    clock.advance(1.1)
    outcome(pipeline, Funds)
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "half-open"
    assert pipeline.call(lambda: "fine") == "fine"
    assert pipeline.breaker.state == "closed"
    outcome(pipeline, Down)
    with pytest.raises(CircuitOpenError):
        pipeline.call(lambda: "refused")
