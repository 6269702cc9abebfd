"""Test routines: code written once for sync and async callers."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from resilience._core.base.routine import Invocation, Routine
from resilience._drivers.routine_runner import run_routine, run_routine_async


def run(kind: str, make: Any) -> Any:
    """Run a routine by one of the two runners."""
    return run_routine(make()) if kind == "sync" else asyncio.run(run_routine_async(make()))


both = pytest.mark.parametrize("kind", ["sync", "async"])


@both
def test_results_are_sent_and_the_last_value_is_returned(kind: str) -> None:
    """Every call's result comes back where it was yielded."""

    def routine() -> Routine[int]:
        first = yield Invocation(int, ("20",))
        second = yield Invocation(dict, (), {"a": 1})
        return first + len(second)

    assert run(kind, routine) == 21


@both
def test_an_error_can_be_handled_inside(kind: str) -> None:
    """What a function raises is thrown in at the yield, and does not stay as the context of what follows."""

    def routine() -> Routine[str]:
        try:
            yield Invocation(int, ("x",))
        except ValueError:
            answer = yield Invocation(str, (5,))
            return answer
        return ""

    assert run(kind, routine) == "5"


@both
@pytest.mark.parametrize("error", [ValueError("a"), KeyboardInterrupt()])
def test_an_error_that_is_let_through_is_unchanged(kind: str, error: BaseException) -> None:
    """It is the same object, without cause and context; the routine's clean-up has run."""
    cleaned: list[str] = []

    def fail() -> None:
        raise error

    def routine() -> Routine[None]:
        try:
            yield Invocation(fail)
        finally:
            cleaned.append("up")

    with pytest.raises(type(error)) as caught:
        run(kind, routine)
    assert (caught.value, caught.value.__cause__, caught.value.__context__, cleaned) == (error, None, None, ["up"])


def test_a_stop_iteration_passes_as_from_a_function() -> None:
    """A sync function may raise it, and no generator may change it on its way."""
    stop = StopIteration("mine")

    def fail() -> None:
        raise stop

    def routine() -> Routine[None]:
        yield Invocation(fail)

    with pytest.raises(StopIteration) as caught:
        run_routine(routine())
    assert caught.value is stop


def test_a_runtime_error_of_the_routine_stays_one() -> None:
    """Only the error that Python makes of a StopIteration is turned back."""

    def routine() -> Routine[None]:
        yield Invocation(int)
        raise RuntimeError("own")

    with pytest.raises(RuntimeError, match="own"):
        run_routine(routine())


def test_an_async_function_is_awaited() -> None:
    """The async runner awaits what can be awaited and takes every other value as it is."""

    async def add(one: int, other: int) -> int:
        await asyncio.sleep(0)
        return one + other

    def routine() -> Routine[int]:
        total = yield Invocation(add, (1, 2))
        return (yield Invocation(int, (total,)))

    assert asyncio.run(run_routine_async(routine())) == 3


@both
def test_no_cycle_keeps_an_error_alive(kind: str) -> None:
    """With the collector off, the error of a routine goes with its last reference."""

    class MarkedError(Exception):
        pass

    def fail() -> None:
        raise MarkedError

    def routine() -> Routine[None]:
        yield Invocation(fail)

    async def awaited() -> int:
        for _ in range(3):
            try:
                await run_routine_async(routine())
            except MarkedError:
                pass
        return alive()

    def called() -> int:
        for _ in range(3):
            try:
                run_routine(routine())
            except MarkedError:
                pass
        return alive()

    def alive() -> int:
        return sum(type(obj) is MarkedError for obj in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        assert (called() if kind == "sync" else asyncio.run(awaited())) == 0
    finally:
        gc.enable()
