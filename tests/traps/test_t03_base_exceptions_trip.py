"""A breaker that catches BaseException turns a Ctrl-C into its own error."""

from __future__ import annotations

import pybreaker
import pytest

from resilience import Pipeline, Policy


def interrupted() -> None:
    """Raise what Ctrl-C raises."""
    raise KeyboardInterrupt


def test_naive() -> None:
    """Pybreaker raises its own error in place of the Ctrl-C that trips it."""
    with pytest.raises(pybreaker.CircuitBreakerError):
        pybreaker.CircuitBreaker(fail_max=1)(interrupted)()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_ours(error: type[BaseException]) -> None:
    """Ctrl-C passes unchanged, is not retried and counts nowhere."""
    calls = []

    def leaves() -> None:
        calls.append(1)
        raise error

    pipeline = Pipeline(Policy(retry={"max_attempts": 3}, breaker={"consecutive": 1}), idempotent=True)
    with pytest.raises(error):
        pipeline.call(leaves)
    assert (len(calls), pipeline.breaker.state) == (1, "closed")  # type: ignore[union-attr]
