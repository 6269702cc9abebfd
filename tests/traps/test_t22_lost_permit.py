"""A half-open permit that is never released blocks the breaker for ever."""

from __future__ import annotations

import asyncio

import pytest

from resilience import CircuitOpenError, Pipeline, Policy
from resilience.testing import FakeClock


class Naive:
    """A breaker with one permit that does not record when the permit was taken."""

    def __init__(self) -> None:
        self.out = 0

    def admit(self) -> bool:
        if self.out:
            return False
        self.out += 1
        return True


def test_naive() -> None:
    """After a cancelled trial no call is admitted again."""
    breaker = Naive()
    assert breaker.admit()
    assert not any(breaker.admit() for _ in range(100))


def test_a_cancelled_trial_releases_its_permit() -> None:
    """A cancelled trial counts nowhere, and the next call is the trial."""
    clock = FakeClock()
    pipeline = Pipeline(Policy(breaker={"consecutive": 1, "open_for": "1s"}), clock=clock)

    async def down() -> None:
        raise ConnectionRefusedError

    async def stuck() -> None:
        await asyncio.Event().wait()

    async def fine() -> str:
        return "fine"

    async def run() -> str:
        with pytest.raises(ConnectionRefusedError):
            await pipeline.acall(down)
        clock.advance(1.1)
        task = asyncio.create_task(pipeline.acall(stuck))
        await asyncio.sleep(0)
        with pytest.raises(CircuitOpenError):
            await pipeline.acall(fine)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return str(await pipeline.acall(fine))

    assert asyncio.run(run()) == "fine"


def test_a_permit_that_is_lost_expires() -> None:
    """A trial that never ends loses its permit after twice the longest time that an attempt may take."""
    clock = FakeClock()
    policy = Policy(breaker={"consecutive": 1, "open_for": "1s"}, attempt_timeout="5s")  # type: ignore[arg-type]
    pipeline = Pipeline(policy, clock=clock)

    async def down() -> None:
        raise ConnectionRefusedError

    async def hang() -> None:
        await asyncio.Event().wait()

    async def fine() -> str:
        return "fine"

    async def run() -> str:
        with pytest.raises(ConnectionRefusedError):
            await pipeline.acall(down)
        clock.advance(1.1)
        trial = asyncio.create_task(pipeline.acall(hang))
        await asyncio.sleep(0)
        with pytest.raises(CircuitOpenError):
            await pipeline.acall(fine)
        clock.advance(10.1)
        answer = str(await pipeline.acall(fine))
        trial.cancel()
        return answer

    assert asyncio.run(run()) == "fine"
