"""One retry object shared by tasks mixes up their outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import tenacity

from resilience import Pipeline, Policy
from resilience.testing import FakeClock

Send = Callable[[], Awaitable[int]]


async def numbers(call: Callable[[Send], Awaitable[int]]) -> list[int]:
    """Run twenty tasks, each of which fails once and then returns its own number."""

    async def one(number: int) -> int:
        tries: list[int] = []

        async def send() -> int:
            tries.append(1)
            await asyncio.sleep(0)
            if len(tries) == 1:
                raise ConnectionRefusedError
            return number

        return await call(send)

    return await asyncio.gather(*(one(number) for number in range(20)))


def test_naive() -> None:
    """With a predicate that awaits, a shared `AsyncRetrying` gives most tasks the result of another task."""

    async def failed(state: tenacity.RetryCallState) -> bool:
        await asyncio.sleep(0)
        return state.outcome is not None and state.outcome.failed

    retrying = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_none(), retry=failed)
    got = asyncio.run(numbers(retrying))  # type: ignore[arg-type]
    assert sum(one != number for number, one in enumerate(got)) > 10


def test_ours() -> None:
    """Each call has its own state: every task gets its own number."""
    pipeline = Pipeline(Policy(retry={"max_attempts": 3}), clock=FakeClock())
    assert asyncio.run(numbers(pipeline.acall)) == list(range(20))
