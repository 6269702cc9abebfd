"""A custom stage that refuses an attempt ends the call at once: nobody waits and asks again."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Pipeline, Policy, RejectedError, Stage, failure_of
from resilience.testing import FakeClock

FIVE: dict[str, Any] = {"max_attempts": 5, "backoff": {"initial": "2s", "jitter": "none"}}


class Pause(Stage):
    """Refuses the attempts from a number on."""

    def __init__(self, first: int) -> None:
        self.asked = 0
        self._first = first

    def before(self, call: Any) -> None:
        self.asked += 1
        if call.attempt >= self._first:
            raise RejectedError("paused by hand")


def run(driver: Any, script: list[Any], **options: Any) -> tuple[BaseException, FakeClock, Pipeline, Any]:
    """Return the error of a call, the clock, the pipeline and the transport."""
    clock, transport = FakeClock(), driver.transport(script)
    policy = Policy(retry=FIVE, breaker={"consecutive": 1}, admission={"max_concurrent": 1})  # type: ignore[arg-type]
    pipeline = Pipeline(policy, idempotent=True, clock=clock, **options)
    with pytest.raises(Exception) as caught:  # noqa: PT011  # which one it is depends on the test
        driver.call(pipeline.compile(transport))
    return caught.value, clock, pipeline, transport


def test_the_first_attempt(driver: Any) -> None:
    """It is asked once, nothing is waited for, and nothing counts against the service."""
    stage = Pause(1)
    error, clock, pipeline, transport = run(driver, [1], stages=[stage])
    assert (str(error), stage.asked, clock.sleeps, len(transport.calls)) == ("paused by hand", 1, [], 0)
    assert (failure_of(error).executed, failure_of(error).attempts) == ("no", 0)
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "closed"
    with pytest.raises(RejectedError, match="paused by hand"):  # the slot went back
        driver.call(pipeline.compile(transport))


def test_a_later_attempt(driver: Any) -> None:
    """The API's own last error reaches the caller, and the refusal is its cause."""
    stage = Pause(2)
    policy = Policy(retry=FIVE)  # type: ignore[arg-type]
    clock, transport = FakeClock(), driver.transport([ConnectionRefusedError()])
    pipeline = Pipeline(policy, idempotent=True, clock=clock, stages=[stage])
    with pytest.raises(ConnectionRefusedError) as caught:
        driver.call(pipeline.compile(transport))
    assert (str(caught.value.__cause__), stage.asked, clock.sleeps) == ("paused by hand", 2, [2.0])
    assert failure_of(caught.value).attempts == 1


def test_the_function_itself(driver: Any) -> None:
    """A function that raises a `RejectedError` of its own is not asked again."""
    error, clock, _, transport = run(driver, [RejectedError("closed for today"), 1])
    assert (str(error), clock.sleeps, len(transport.calls)) == ("closed for today", [], 1)


def test_a_nested_call(driver: Any) -> None:
    """So is a call inside it that was rejected, whatever pipeline that belongs to."""
    inside = Pipeline(Policy(name="inside", breaker={}), clock=FakeClock())  # type: ignore[arg-type]
    assert inside.breaker is not None
    inside.breaker.isolate()
    nested = inside.compile(driver.function(lambda: None))
    calls: list[int] = []

    def outer() -> Any:
        calls.append(1)
        return nested()

    async def outer_async() -> None:
        calls.append(1)
        await nested()

    clock = FakeClock()
    pipeline = Pipeline(Policy(retry=FIVE), idempotent=True, clock=clock)  # type: ignore[arg-type]
    with pytest.raises(RejectedError):
        driver.call(pipeline.compile(outer if driver.kind == "sync" else outer_async))
    assert (len(calls), clock.sleeps) == (1, [])
