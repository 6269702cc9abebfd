"""A sync timeout by a thread leaves a thread that finishes after the timeout."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError

import pytest

from resilience import Pipeline, Policy, current_call
from resilience.testing import FakeClock


def test_naive() -> None:
    """The order is sent after its caller got the timeout."""
    go, sent = threading.Event(), []

    def order() -> None:
        go.wait(5)
        sent.append("order")

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(order)
        with pytest.raises(FutureTimeoutError):
            future.result(0.01)
        assert sent == []
        go.set()
    assert sent == ["order"]


def test_ours_sync() -> None:
    """No thread is started: the function runs in the caller's thread and can read its limit."""
    seen: list[object] = []

    def order() -> str:
        call = current_call()
        assert call is not None
        seen.extend((threading.current_thread(), call.timeout))
        return "done"

    before = threading.active_count()
    assert Pipeline(Policy(attempt_timeout="5s"), clock=FakeClock()).call(order) == "done"
    assert seen == [threading.current_thread(), 5.0]
    assert threading.active_count() == before


def test_ours_async() -> None:
    """An async attempt is cancelled: the line after its await never runs."""
    sent: list[str] = []

    async def order() -> None:
        await asyncio.Event().wait()
        sent.append("order")

    with pytest.raises(TimeoutError):
        asyncio.run(Pipeline(Policy(attempt_timeout="10ms")).acall(order))
    assert sent == []


def test_naive_pool() -> None:
    """A pool of four runs four of sixteen calls at the same time, whatever the number of callers."""
    inside, most, lock, go = [0], [0], threading.Lock(), threading.Event()

    def order() -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        go.wait(5)
        with lock:
            inside[0] -= 1

    with ThreadPoolExecutor(4) as timeouts, ThreadPoolExecutor(16) as callers:
        calls = [callers.submit(lambda: timeouts.submit(order).result(5)) for _ in range(16)]
        go.set()
        for call in calls:
            call.result()
    assert most[0] <= 4


def test_ours_pool() -> None:
    """As many calls run as there are callers, each with a timeout, quota and a slot."""
    met = threading.Barrier(64)
    rules: dict[str, object] = {"quota": [{"rate": 64, "burst": 64}], "admission": {"max_concurrent": 64}}
    guarded = Pipeline(Policy(attempt_timeout="5s", **rules)).compile(lambda: met.wait(5))  # type: ignore[arg-type]
    with ThreadPoolExecutor(64) as callers:
        places = list(callers.map(lambda _: guarded(), range(64)))
    assert sorted(places) == list(range(64))
