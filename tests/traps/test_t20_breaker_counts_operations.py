"""A breaker outside the retries counts operations, not attempts."""

from __future__ import annotations

from typing import Any

import pybreaker
import pytest
import tenacity

from resilience import Pipeline, Policy
from resilience.testing import FakeClock


def test_naive() -> None:
    """With a threshold of 3, pybreaker is still closed after ten failed requests."""
    calls = []

    @tenacity.retry(stop=tenacity.stop_after_attempt(5), wait=tenacity.wait_none(), reraise=True)
    def send() -> None:
        calls.append(1)
        raise ConnectionRefusedError

    breaker = pybreaker.CircuitBreaker(fail_max=3)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            breaker(send)()
    assert (len(calls), breaker.current_state) == (10, "closed")


def test_ours(driver: Any) -> None:
    """Every attempt counts: the third failure opens the breaker during the call, which raises the API's error."""
    clock = FakeClock()
    transport = driver.transport([ConnectionRefusedError()] * 10)
    policy = Policy(
        retry={"max_attempts": 5, "backoff": {"initial": "10ms"}}, breaker={"consecutive": 3, "open_for": "1m"}
    )
    pipeline = Pipeline(policy, clock=clock)
    with pytest.raises(ConnectionRefusedError) as caught:
        driver.call(pipeline.compile(transport))
    assert len(transport.calls) == 3
    assert type(caught.value.__cause__).__name__ == "CircuitOpenError"
    assert len(clock.sleeps) == 2
