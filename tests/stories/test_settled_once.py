"""Tests that every admitted attempt is settled exactly once, whatever the outcomes and cancellations."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience import Pipeline, Policy
from resilience.testing import FakeClock

HOWS = ["good", "down", "fatal", "stopped", "exit"]
CALLS = st.lists(st.lists(st.sampled_from([*HOWS, "down", "down"]), min_size=1, max_size=4), min_size=1, max_size=12)
ERRORS: dict[str, type[BaseException]] = {"down": ConnectionRefusedError, "fatal": TypeError, "exit": SystemExit}
RETRY = {"max_attempts": 3, "backoff": {"kind": "constant", "initial": "1s", "jitter": "none"}}


def new_pipeline(half_open: bool, clock: FakeClock, **rules: Any) -> Pipeline:
    """Return a pipeline whose breaker never opens, or one that stays half-open with permits for all."""
    never = {"failure_rate": None, "window": "1d", **rules}
    permits = {"permits": 10_000, "successes": 10_000}
    pipeline = Pipeline(
        Policy(retry=RETRY, breaker={**never, "half_open": permits, "open_for": "1ms", "open_max": "1ms"}),  # type: ignore[arg-type]
        clock=clock,
    )
    if half_open:
        assert pipeline.breaker is not None
        pipeline.breaker.open()
        clock.advance(1.0)
    return pipeline


class Ledger:
    """Counts how the attempts ended that the transport saw."""

    def __init__(self) -> None:
        self.sent = dict.fromkeys(HOWS, 0)

    def next(self, script: list[str], attempt: int) -> str:
        """Return how this attempt ends; a script that is over repeats its last."""
        how = script[min(attempt, len(script) - 1)]
        self.sent[how] += 1
        return how

    def check(self, pipeline: Pipeline, half_open: bool) -> None:
        """No attempt is open, and each one that counts was counted once."""
        described = pipeline.describe()["breaker"]
        assert described["trials"] == 0
        if half_open:
            return
        settled = described["settled"]
        assert (settled["succeeded"], settled["failed"]) == (self.sent["good"], self.sent["down"])


@pytest.mark.parametrize("half_open", [False, True])
@pytest.mark.parametrize("slow", [False, True])
@given(calls=CALLS)
@settings(max_examples=60)
def test_sync(half_open: bool, slow: bool, calls: list[list[str]]) -> None:
    """In one thread: successes, failures, neutral answers, a Ctrl-C and an exit."""
    clock, ledger = FakeClock(), Ledger()
    rules = {"slow_rate": 1.0, "slow_after": "1h"} if slow else {}
    pipeline = new_pipeline(half_open, clock, **rules)
    for script in calls:
        attempt = [0]

        def send(script: list[str] = script, attempt: list[int] = attempt) -> None:
            how = ledger.next(script, attempt[0])
            attempt[0] += 1
            if how == "stopped":
                raise KeyboardInterrupt
            if how != "good":
                raise ERRORS[how]

        try:
            pipeline.call(send)
        except (Exception, KeyboardInterrupt, SystemExit):
            pass
        clock.advance(1.0)
    ledger.check(pipeline, half_open)


STOPS = st.lists(st.integers(0, 6), min_size=12, max_size=12)


async def turns(script: list[str], attempt: list[int], ledger: Ledger, close_slice: Any, forever: Any) -> None:
    """One attempt, which yields to the loop and then ends as the script says."""
    await close_slice()
    how = ledger.next(script, attempt[0])
    attempt[0] += 1
    if how == "stopped":
        await forever()
    if how == "exit":
        raise KeyError  # an exit would end the loop that the others need
    if how != "good":
        raise ERRORS[how]


@pytest.mark.parametrize("half_open", [False, True])
@given(calls=CALLS, stops=STOPS)
@settings(max_examples=60)
def test_asyncio(half_open: bool, calls: list[list[str]], stops: list[int]) -> None:
    """Many tasks are each cancelled after some turns of the loop, at any await."""
    clock, ledger = FakeClock(), Ledger()
    pipeline = new_pipeline(half_open, clock)

    async def story() -> None:
        async def close_slice() -> None:
            await asyncio.sleep(0)

        async def forever() -> None:
            await asyncio.Event().wait()

        async def cancelled(task: asyncio.Task[None], after: int) -> None:
            for _ in range(after):
                await asyncio.sleep(0)
            if after < 6:
                task.cancel()

        tasks = [
            asyncio.create_task(pipeline.acall(turns, script, [0], ledger, close_slice, forever)) for script in calls
        ]
        await asyncio.gather(*(cancelled(task, after) for task, after in zip(tasks, stops, strict=False)))
        for _ in range(30):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(story())
    ledger.check(pipeline, half_open)


@pytest.mark.parametrize("half_open", [False, True])
@given(calls=CALLS, stops=STOPS)
@settings(max_examples=40)
def test_trio(half_open: bool, calls: list[list[str]], stops: list[int]) -> None:
    """Many tasks of a nursery are cancelled by their scopes."""
    clock, ledger = FakeClock(), Ledger()
    pipeline = new_pipeline(half_open, clock)

    async def one(script: list[str], scope: trio.CancelScope) -> None:
        with scope:
            try:
                await pipeline.acall(turns, script, [0], ledger, trio.lowlevel.checkpoint, trio.sleep_forever)
            except Exception:
                pass

    async def story() -> None:
        scopes = [trio.CancelScope() for _ in calls]
        async with trio.open_nursery() as nursery:
            for script, scope in zip(calls, scopes, strict=True):
                nursery.start_soon(one, script, scope)
            for close_slice in range(30):
                await trio.lowlevel.checkpoint()
                for scope, after in zip(scopes, stops, strict=False):
                    if after == close_slice < 6:
                        scope.cancel()
            for scope in scopes:
                scope.cancel()

    trio.run(story)
    ledger.check(pipeline, half_open)
