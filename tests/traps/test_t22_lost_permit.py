"""A half-open permit that nobody gives back wedges the breaker for ever."""

from __future__ import annotations

import asyncio

import pytest

from resilience import CircuitOpenError, Pipeline, Policy
from resilience._core.stages.breaker import Breaker
from resilience.testing import FakeClock


class Naive:
    """One permit, counted, and no memory of when it was given."""

    def __init__(self) -> None:
        self.out = 0

    def admit(self) -> bool:
        if self.out:
            return False
        self.out += 1
        return True


def test_naive() -> None:
    """The trial was cancelled, and nobody is ever admitted again."""
    breaker = Naive()
    assert breaker.admit()
    assert not any(breaker.admit() for _ in range(100))


def test_a_cancelled_trial_gives_its_permit_back() -> None:
    """Cancelled while half-open: the next call is the trial, and the cancelled one counts nowhere."""
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
    """A trial that vanished without a word is given up after a while."""
    clock = FakeClock()
    rules = Policy(breaker={"consecutive": 1, "open_for": "1s"}).breaker
    assert rules is not None
    breaker = Breaker(rules, clock.monotonic, lost_after=10.0)
    first = breaker.admit(0)
    assert first is not None
    breaker.failed(first, 0)
    clock.advance(1.1)
    assert breaker.admit(clock.monotonic()) is not None
    assert breaker.admit(clock.monotonic()) is None
    clock.advance(10.1)
    assert breaker.admit(clock.monotonic()) is not None
