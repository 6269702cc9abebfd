"""Resetting a context variable raises if an async generator is finalised in another context."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator

import pytest

from resilience import Pipeline, Policy, current_call

VAR: contextvars.ContextVar[int] = contextvars.ContextVar("var")


async def finalise_elsewhere(make: object) -> None:
    """Begin an async generator in one context and close it in another while it is suspended."""
    waiting = asyncio.Event()
    stream = make(waiting)  # type: ignore[operator]
    first = stream.__anext__()
    contextvars.copy_context().run(first.send, None)
    assert waiting.is_set()
    contextvars.copy_context().run(_throw, first)


def _throw(step: object) -> None:
    step.throw(GeneratorExit)  # type: ignore[attr-defined]


def test_naive() -> None:
    """Resetting a token in another context raises a ValueError."""

    async def stream(waiting: asyncio.Event) -> AsyncIterator[int]:
        token = VAR.set(1)
        try:
            waiting.set()
            await asyncio.Event().wait()
            yield 1
        finally:
            VAR.reset(token)

    with pytest.raises(ValueError, match="different Context"):
        asyncio.run(finalise_elsewhere(stream))


@pytest.mark.parametrize("attempt", [1, 2])
def test_ours(attempt: int) -> None:
    """Closing raises nothing, in a first and in a later attempt, and other contexts are unchanged."""
    pipeline = Pipeline(Policy(deadline="10s", retry={"backoff": {"initial": 0}}), idempotent=True)  # type: ignore[arg-type]
    sent: list[int] = []

    async def stream(waiting: asyncio.Event) -> AsyncIterator[int]:
        async def wait() -> None:
            sent.append(1)
            if len(sent) < attempt:
                raise ConnectionRefusedError
            waiting.set()
            await asyncio.get_running_loop().create_future()

        await pipeline.acall(wait)
        yield 1

    async def run() -> None:
        with pytest.raises(GeneratorExit):
            await finalise_elsewhere(stream)
        assert current_call() is None

    asyncio.run(run())
