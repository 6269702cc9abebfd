"""A half-open breaker that admits every call overloads a service that has just recovered."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from resilience import CircuitOpenError, Pipeline, Policy
from resilience.testing import FakeClock

THREADS = 16


class Naive:
    """A half-open state as several libraries have it: after the open time every call is admitted."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.until = clock, 1.0

    def admits(self) -> bool:
        return self.clock.monotonic() >= self.until


def test_naive() -> None:
    """All calls pass."""
    clock = FakeClock()
    clock.advance(2)
    breaker = Naive(clock)
    assert sum(breaker.admits() for _ in range(THREADS)) == THREADS


@pytest.mark.parametrize("permits", [1, 3])
def test_ours(permits: int) -> None:
    """Exactly the configured permits pass, under any number of threads."""
    clock = FakeClock()
    rules = {"consecutive": 1, "open_for": "1s", "half_open": {"permits": permits, "successes": permits}}
    pipeline = Pipeline(Policy(breaker=rules), clock=clock)  # type: ignore[arg-type]
    with pytest.raises(ConnectionRefusedError):
        pipeline.call(_down)
    clock.advance(1.1)
    met = threading.Barrier(THREADS)
    inside: list[int] = []

    def trial() -> None:
        inside.append(1)
        met.wait(60)

    def call() -> str:
        try:
            pipeline.call(trial)
        except CircuitOpenError:
            met.wait(60)
            return "refused"
        return "tried"

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(lambda _: call(), range(THREADS)))
    assert (results.count("tried"), len(inside)) == (permits, permits)


def _down() -> None:
    raise ConnectionRefusedError
