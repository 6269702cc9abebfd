"""The result of a call that was admitted before the breaker opened must not settle the half-open state."""

from __future__ import annotations

import asyncio

import pytest

from resilience import Pipeline, Policy
from resilience.testing import FakeClock


class Naive:
    """A breaker without generations: any success while half-open closes it."""

    def __init__(self) -> None:
        self.state = "closed"

    def succeeded(self) -> None:
        if self.state == "half-open":
            self.state = "closed"


def test_naive() -> None:
    """A success of a call from before the outage closes the breaker."""
    breaker = Naive()
    breaker.state = "half-open"
    breaker.succeeded()
    assert breaker.state == "closed"


class Calls:
    """A pipeline whose breaker opens at the first failure, and calls that end when the test says so."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.pipeline = Pipeline(Policy(breaker={"consecutive": 1, "open_for": "1s"}), clock=self.clock)  # type: ignore[arg-type]

    @property
    def state(self) -> str:
        """The breaker's state."""
        assert self.pipeline.breaker is not None
        return self.pipeline.breaker.state

    async def begin(self) -> tuple[asyncio.Future[None], asyncio.Task[None]]:
        """Begin a call; return the future that it waits for, and its task."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def send() -> None:
            await answer

        task = asyncio.create_task(self.pipeline.acall(send))
        await asyncio.sleep(0)
        return answer, task

    async def open_and_begin_trial(self) -> tuple[asyncio.Future[None], asyncio.Task[None]]:
        """Open the breaker by a failed call, let the open time pass, and begin a trial call."""
        answer, task = await self.begin()
        await fail(answer, task)
        assert self.state == "open"
        self.clock.advance(1.1)
        trial = await self.begin()
        assert self.state == "half-open"
        return trial


async def succeed(answer: asyncio.Future[None], task: asyncio.Task[None]) -> None:
    """Let a call return."""
    answer.set_result(None)
    await task


async def fail(answer: asyncio.Future[None], task: asyncio.Task[None]) -> None:
    """Let a call fail."""
    answer.set_exception(ConnectionRefusedError())
    with pytest.raises(ConnectionRefusedError):
        await task


def test_a_late_success_changes_nothing() -> None:
    """A call that was admitted while closed and succeeds while half-open does not close the breaker."""

    async def story() -> None:
        calls = Calls()
        late = await calls.begin()
        trial = await calls.open_and_begin_trial()
        await succeed(*late)
        assert calls.state == "half-open"
        await succeed(*trial)
        assert calls.state == "closed"

    asyncio.run(story())


@pytest.mark.parametrize("settled", ["during the trial", "after the trial"])
def test_a_late_failure_changes_nothing(settled: str) -> None:
    """A call that was admitted before the trial neither opens the breaker again nor trips it after it closed."""

    async def story() -> None:
        calls = Calls()
        late = await calls.begin()
        trial = await calls.open_and_begin_trial()
        if settled == "during the trial":
            await fail(*late)
            assert calls.state == "half-open"
        await succeed(*trial)
        if settled == "after the trial":
            await fail(*late)
        assert calls.state == "closed"

    asyncio.run(story())
