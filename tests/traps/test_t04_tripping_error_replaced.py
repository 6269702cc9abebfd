"""A breaker that replaces the tripping error hides the API's code from the caller."""

from __future__ import annotations

import pybreaker
import pytest

from resilience import Pipeline, Policy, failure_of


class ApiFailure(Exception):
    """An API's own error."""

    status_code = 503


def fails() -> None:
    """The service is down."""
    raise ApiFailure


def test_naive() -> None:
    """The error that trips pybreaker is lost, also as a cause."""
    with pytest.raises(pybreaker.CircuitBreakerError) as caught:
        pybreaker.CircuitBreaker(fail_max=1)(fails)()
    assert caught.value.__cause__ is None


def test_ours() -> None:
    """The caller gets the API's own error, the same object, with its status."""
    pipeline = Pipeline(Policy(breaker={"consecutive": 1}))
    with pytest.raises(ApiFailure) as caught:
        pipeline.call(fails)
    assert failure_of(caught.value).http_status == 503
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "open"
