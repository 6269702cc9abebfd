"""Jitter that is added before the cap makes every client wait exactly the cap."""

from __future__ import annotations

import pytest

from resilience import Pipeline, Policy
from resilience.testing import FakeClock, ScriptedTransport


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
    clock = FakeClock()
    backoff = {"kind": kind, "initial": "4s", "max": "5s", "jitter": jitter}
    pipeline = Pipeline(Policy(retry={"max_attempts": 41, "backoff": backoff}), idempotent=True, clock=clock)  # type: ignore[arg-type]
    send = ScriptedTransport([ConnectionRefusedError()] * 41)
    with pytest.raises(ConnectionRefusedError):
        pipeline.call(send)
    assert len(clock.sleeps) == 40
    assert len(set(clock.sleeps)) > 5
    assert all(0 <= delay <= 5 for delay in clock.sleeps)


@pytest.mark.parametrize(("jitter", "least"), [("full", 0.0), ("equal", 0.4), ("none", 0.8)])
def test_the_shortest_and_longest_delay_are_described(jitter: str, least: float) -> None:
    """The delay before the fourth attempt begins at 0 with full jitter and at half with equal jitter."""
    policy = Policy(retry={"max_attempts": 4, "backoff": {"initial": 0.2, "factor": 2, "jitter": jitter}})  # type: ignore[arg-type]
    assert Pipeline(policy).describe()["waits"][2] == {"least": least, "longest": 0.8}
