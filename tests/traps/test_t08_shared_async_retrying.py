"""One retry object shared by tasks mixes their outcomes up."""

from __future__ import annotations

import asyncio

import tenacity

from resilience import Pipeline, Policy
from resilience.testing import FakeClock


async def scenario(call: object) -> list[int]:
    """Twenty tasks at once, each failing once and then returning its own number."""

    async def one(number: int) -> int:
        tries = []

        async def send() -> int:
            tries.append(1)
            await asyncio.sleep(0)
            if len(tries) == 1:
                raise ConnectionRefusedError
            return number

        return await call(send)  # type: ignore[operator,no-any-return]

    return list(await asyncio.gather(*(one(n) for n in range(20)), return_exceptions=False))


def test_naive() -> None:
    """Used for its own state, one shared `AsyncRetrying` forgets how many calls there were: statistics are of one."""
    retrying = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_none())

    async def run() -> int:
        await scenario(retrying)
        return int(retrying.statistics["attempt_number"])

    assert asyncio.run(run()) != 40


def test_ours() -> None:
    """Each call has a state of its own: every task gets its own number."""
    pipeline = Pipeline(Policy(retry={"max_attempts": 3}), clock=FakeClock())
    assert asyncio.run(scenario(pipeline.acall)) == list(range(20))
