"""A sync breaker takes the coroutine object of an async function for its result."""

from __future__ import annotations

import asyncio

import pybreaker
import pytest

from resilience import CircuitOpenError, Pipeline, Policy


async def fails() -> None:
    """A call that the service fails."""
    raise ConnectionRefusedError


def test_naive() -> None:
    """After three failures at `fail_max=1` pybreaker is still closed."""
    breaker = pybreaker.CircuitBreaker(fail_max=1)
    guarded = breaker(fails)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            asyncio.run(guarded())
    assert breaker.current_state == "closed"


def test_ours() -> None:
    """One failure at `consecutive: 1` opens the breaker."""
    pipeline = Pipeline(Policy(breaker={"consecutive": 1}))
    guarded = pipeline.compile(fails)
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(guarded())
    with pytest.raises(CircuitOpenError):
        asyncio.run(guarded())


def test_a_coroutine_from_a_plain_function_is_an_error() -> None:
    """A sync function that returns a coroutine raises an error and is not counted as a success."""
    with pytest.raises(TypeError, match="async function"):
        Pipeline(Policy()).call(fails)
