"""A breaker that is not made for async takes the coroutine object for the result."""

from __future__ import annotations

import asyncio

import pybreaker
import pytest

from resilience import CircuitOpenError, Pipeline, Policy


async def fails() -> None:
    """A call that the service fails."""
    raise ConnectionRefusedError


def test_naive() -> None:
    """Three failures at fail_max=1, and pybreaker is still closed."""
    breaker = pybreaker.CircuitBreaker(fail_max=1)
    guarded = breaker(fails)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            asyncio.run(guarded())
    assert breaker.current_state == "closed"


def test_ours() -> None:
    """One failure at consecutive 1 opens ours."""
    pipeline = Pipeline(Policy(breaker={"consecutive": 1}))
    guarded = pipeline.compile(fails)
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(guarded())
    with pytest.raises(CircuitOpenError):
        asyncio.run(guarded())


def test_a_coroutine_from_a_plain_function_is_an_error() -> None:
    """A plain function that returns a coroutine is refused instead of being counted as a success."""
    with pytest.raises(TypeError, match="async function"):
        Pipeline(Policy()).call(fails)
