"""A sync timeout by a thread leaves a zombie that finishes after the timeout."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError

import pytest

from resilience import Pipeline, Policy, current_call
from resilience.testing import FakeClock


def test_naive() -> None:
    """The order is sent after its caller was told that it timed out."""
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
    """No thread is started: the function runs in the caller's, and learns its limit."""
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
    """An async attempt is really cut: the line after it never runs."""
    sent: list[str] = []

    async def order() -> None:
        await asyncio.Event().wait()
        sent.append("order")

    with pytest.raises(TimeoutError):
        asyncio.run(Pipeline(Policy(attempt_timeout="10ms")).acall(order))
    assert sent == []
