"""A negative retry predicate ("everything but ...") retries a cancellation."""

from __future__ import annotations

import asyncio

import pytest
import tenacity

from resilience import Pipeline, Policy


async def cancelled_while(call: object, calls: list[int]) -> None:
    """Cancel a call while it waits inside its first attempt."""
    begun = asyncio.Event()

    async def send() -> None:
        calls.append(1)
        begun.set()
        if len(calls) < 3:
            await asyncio.Event().wait()

    task = asyncio.create_task(call(send))  # type: ignore[operator]
    await begun.wait()
    task.cancel()
    await task


def test_naive() -> None:
    """Tenacity's negative predicate swallows the cancellation and sends again."""
    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_not_exception_type(ValueError),
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_none(),
    )
    calls: list[int] = []

    async def run() -> None:
        await asyncio.wait_for(cancelled_while(retrying, calls), 0.3)

    asyncio.run(run())
    assert len(calls) > 1


def test_ours() -> None:
    """The cancellation passes at once; nothing is sent again."""
    calls: list[int] = []
    pipeline = Pipeline(Policy(retry={"max_attempts": 3}), idempotent=True)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled_while(pipeline.acall, calls))
    assert calls == [1]
