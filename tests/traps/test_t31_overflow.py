"""After many attempts 2**n overflows, and jitter of infinity is not a number."""

from __future__ import annotations

import math

import pytest

from resilience import Pipeline, Policy
from resilience.testing import FakeClock, ScriptedTransport


def test_naive() -> None:
    """A float cannot hold 2.0**1024, and infinity minus itself is nan."""
    with pytest.raises(OverflowError):
        min(0.2 * 2.0**1024, 5.0)
    assert math.isnan(math.inf - math.inf)


@pytest.mark.parametrize("kind", ["constant", "linear", "exponential", "decorrelated"])
@pytest.mark.parametrize("jitter", ["none", "full", "equal"])
def test_ours(kind: str, jitter: str) -> None:
    """Each of 999 delays is a number between 0 and the cap, although 100.0**155 overflows."""
    clock = FakeClock()
    backoff = {"kind": kind, "initial": "200ms", "factor": 100, "max": "5s", "jitter": jitter}
    policy = Policy(retry={"max_attempts": 1000, "backoff": backoff}, deadline=None, budget=None)  # type: ignore[arg-type]
    send = ScriptedTransport([ConnectionRefusedError()] * 1000)
    with pytest.raises(ConnectionRefusedError):
        Pipeline(policy, idempotent=True, clock=clock).call(send)
    assert len(clock.sleeps) == 999
    assert all(0 <= delay <= 5 + 1e-9 for delay in clock.sleeps)  # the sum of instants rounds
