"""A breaker that holds its lock during the call serialises all threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pybreaker
import pytest

from resilience import Pipeline, Policy

THREADS = 8


def meeting() -> tuple[threading.Barrier, object]:
    """Return a function that returns only when all threads are inside it at the same time."""
    barrier = threading.Barrier(THREADS)
    return barrier, lambda: barrier.wait(5)


def run(fn: object) -> None:
    """Call from all threads at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(fn) for _ in range(THREADS)]:  # type: ignore[arg-type]
            future.result()


def test_naive() -> None:
    """Through pybreaker only one thread is inside at a time, so the barrier is never full."""
    barrier = threading.Barrier(THREADS)
    with pytest.raises((threading.BrokenBarrierError, pybreaker.CircuitBreakerError)):
        run(pybreaker.CircuitBreaker()(lambda: barrier.wait(0.3)))


def test_ours() -> None:
    """Through our breaker all threads are inside at the same time."""
    _, meet = meeting()
    run(Pipeline(Policy(breaker={})).compile(meet))  # type: ignore[arg-type]
