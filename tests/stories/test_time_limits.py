"""An async attempt is cut at its limit, and everybody else's cancellation stays theirs; all of it on virtual time."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from resilience import Pipeline, Policy, failure_of
from resilience._drivers.asyncio_timeouts import TimeLimit
from resilience._drivers.attempt_limit import limited
from resilience.simulate import run_virtual

Body = Callable[[], Awaitable[Any]]


class Colour:
    """One async library on virtual time."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, main: Callable[[], Any]) -> Any:
        """Run a coroutine function to its end."""
        if self.name == "asyncio":
            return run_virtual(main())
        return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    async def sleep(self, seconds: float) -> None:
        """Sleep in virtual time."""
        if self.name == "asyncio":
            await asyncio.sleep(seconds)
        else:
            await trio.sleep(seconds)

    def now(self) -> float:
        """Return the virtual time."""
        return asyncio.get_running_loop().time() if self.name == "asyncio" else trio.current_time()


@pytest.fixture(params=["asyncio", "trio"])
def colour(request: pytest.FixtureRequest) -> Colour:
    """Stories that do not depend on the library run through both."""
    return Colour(request.param)


async def outcome(now: Callable[[], float], body: Body) -> tuple[Any, float]:
    """Return what a body gave, or the class of what it raised, and after how long."""
    started = now()
    try:
        result = await body()
    except (Exception, asyncio.CancelledError) as error:
        result = type(error)
    return result, round(now() - started, 6)


def test_cut_at_the_limit(colour: Colour) -> None:
    """An attempt that takes too long ends at its limit, not before and not after, and says so."""

    async def main() -> None:
        started = colour.now()
        with pytest.raises(TimeoutError, match=r"limit of 2 s"):
            await limited(colour.sleep, (10,), {}, 2.0)
        assert colour.now() - started == pytest.approx(2.0)

    colour.run(main)


def test_an_answer_before_the_limit_stands(colour: Colour) -> None:
    """What is done in time is returned, and nothing is cut afterwards."""

    async def quick() -> str:
        await colour.sleep(1)
        return "done"

    async def main() -> None:
        assert await limited(quick, (), {}, 2.0) == "done"
        await colour.sleep(10)

    colour.run(main)


@pytest.mark.parametrize(("inner", "outer"), [(1.0, 3.0), (3.0, 1.0), (1.0, 1.0)])
def test_nested_limits(colour: Colour, inner: float, outer: float) -> None:
    """The earlier limit decides; at the same instant it is the outer one's error that comes out, once."""

    async def attempt() -> Any:
        return await limited(colour.sleep, (10,), {}, inner)

    async def main() -> None:
        kind, took = await outcome(colour.now, lambda: limited(attempt, (), {}, outer))
        assert (kind, took) == (TimeoutError, min(inner, outer))
        await colour.sleep(20)

    colour.run(main)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_left(colour: Colour, seconds: float) -> None:
    """Without any time an attempt is cut at its first wait; one that does not wait is not cut."""

    async def at_once() -> int:
        return 1

    async def main() -> None:
        assert await outcome(colour.now, lambda: limited(colour.sleep, (5,), {}, seconds)) == (TimeoutError, 0)
        assert await limited(at_once, (), {}, seconds) == 1

    colour.run(main)


def test_its_own_timeout_error_is_not_ours(colour: Colour) -> None:
    """A `TimeoutError` that the attempt raises itself is handed on, the very object."""
    error = TimeoutError("the client's own")

    async def fails() -> None:
        await colour.sleep(1)
        raise error

    async def main() -> None:
        with pytest.raises(TimeoutError) as caught:
            await limited(fails, (), {}, 2.0)
        assert caught.value is error

    colour.run(main)


# --- asyncio alone: who cancelled ------------------------------------------------------------------


def cancelling() -> int:
    """Return how many cancellations of this task nobody has taken back."""
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


def test_a_cut_leaves_no_cancellation_behind() -> None:
    """After a cut the task is as if nobody had cancelled it."""

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await limited(asyncio.sleep, (10,), {}, 1.0)
        assert cancelling() == 0
        async with asyncio.timeout(5):
            await asyncio.sleep(1)

    run_virtual(main())


@pytest.mark.parametrize("first", ["canceller", "limit"])
def test_cancelled_at_the_instant_of_the_limit(first: str) -> None:
    """Somebody else's cancellation wins, whichever of the two timers was set first."""

    async def attempt() -> Any:
        return await limited(asyncio.sleep, (10,), {}, 2.0)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        task: Any = asyncio.ensure_future(attempt())
        if first == "limit":
            await asyncio.sleep(0)
        loop.call_at(2.0, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    run_virtual(main())


def test_a_cut_that_is_swallowed() -> None:
    """A body that swallows the cut and returns is believed, and one that turns it into its own error too."""

    async def swallows() -> str:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return "half of it"
        return "all of it"

    async def translates() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            raise ConnectionResetError from None

    async def main() -> None:
        assert await limited(swallows, (), {}, 1.0) == "half of it"
        assert cancelling() == 0
        with pytest.raises(ConnectionResetError):
            await limited(translates, (), {}, 1.0)
        assert cancelling() == 0

    run_virtual(main())


def test_an_answer_at_the_instant_of_the_limit_is_kept() -> None:
    """What has arrived when the limit is reached is not thrown away: it may be an order."""

    async def main() -> None:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_at(1.0, answer.set_result, "placed")

        async def attempt() -> str:
            return await answer

        assert await limited(attempt, (), {}, 1.0) == "placed"
        assert cancelling() == 0
        await asyncio.sleep(5)

    run_virtual(main())


def test_inside_a_task_group() -> None:
    """When a sibling fails, the attempt is cancelled as part of its group and not timed out."""
    seen: list[type] = []

    async def attempt() -> None:
        try:
            await limited(asyncio.sleep, (10,), {}, 5.0)
        except BaseException as error:
            seen.append(type(error))
            raise

    async def fails() -> None:
        await asyncio.sleep(1)
        raise LookupError

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(attempt())
            group.create_task(fails())

    with pytest.raises(ExceptionGroup):
        run_virtual(main())
    assert seen == [asyncio.CancelledError]


def test_thousands_at_once() -> None:
    """Each of many attempts is cut at its own instant, whatever the order in which they began or ended."""
    limits = [1 + (number * 7919) % 997 / 100 for number in range(3000)]

    async def main() -> list[tuple[Any, float]]:
        time = asyncio.get_running_loop().time

        async def one(number: int) -> tuple[Any, float]:
            await asyncio.sleep(number / 1000)
            takes = 0.5 if number % 3 else 100
            return await outcome(time, lambda: limited(asyncio.sleep, (takes, "done"), {}, limits[number]))

        return await asyncio.gather(*(one(number) for number in range(len(limits))))

    for number, (result, took) in enumerate(run_virtual(main())):
        expected = ("done", 0.5) if number % 3 else (TimeoutError, limits[number])
        assert (result, took) == (expected[0], pytest.approx(expected[1], abs=1e-5))


def test_limits_that_have_ended_are_let_go() -> None:
    """Long limits of attempts that ended long ago do not pile up while short ones keep the timer busy."""

    async def main() -> int:
        for _ in range(2000):
            await asyncio.gather(
                outcome(asyncio.get_running_loop().time, lambda: limited(asyncio.sleep, (1,), {}, 0.01)),
                limited(asyncio.sleep, (0.02,), {}, 3600.0),
            )
        return sum(isinstance(one, TimeLimit) for one in gc.get_objects())

    assert run_virtual(main()) < 200


def test_a_cut_keeps_nothing_alive() -> None:
    """With the collector off nothing is left of an attempt that was cut."""

    async def cut() -> None:
        try:
            await limited(asyncio.sleep, (10,), {}, 1.0)
        except TimeoutError:
            pass

    async def main() -> tuple[int, int]:
        await cut()
        gc.collect()
        gc.disable()
        try:
            before = len(gc.get_objects())
            for _ in range(50):
                await cut()
            after = len(gc.get_objects())
            return after - before, gc.collect()
        finally:
            gc.enable()

    kept, cycles = run_virtual(main())
    assert (kept < 10, cycles) == (True, 0)


def test_loops_after_and_beside_each_other() -> None:
    """A second loop in a thread, the first one again, and loops in other threads all keep their own limits."""
    one, two = asyncio.new_event_loop(), asyncio.new_event_loop()
    seen: list[Any] = []

    async def cut() -> None:
        seen.append(await outcome(lambda: 0.0, lambda: limited(asyncio.sleep, (30,), {}, 0.01)))

    for loop in (one, two, one):
        loop.run_until_complete(cut())
    one.close()
    two.close()
    threads = [threading.Thread(target=asyncio.run, args=(cut(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [(TimeoutError, 0.0)] * 7


def test_without_a_task() -> None:
    """A limit needs a task that can be cancelled; without one the call says so."""

    async def main() -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def step() -> None:
            attempt = limited(asyncio.sleep, (1,), {}, 1.0)
            try:
                attempt.send(None)
            except Exception as error:
                answer.set_result(error)

        asyncio.get_running_loop().call_soon(step)
        return await answer

    assert isinstance(run_virtual(main()), RuntimeError)


# --- the same as asyncio.timeout, whatever happens ------------------------------------------------------


async def stock(send: Any, args: Any, kwargs: Any, seconds: float) -> Any:
    """The attempt as `asyncio.timeout` cuts it."""
    async with asyncio.timeout(seconds):
        return await send(*args, **kwargs)


@st.composite
def programs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw tasks whose limits, work and cancellations never meet at one instant."""
    tasks = draw(st.integers(1, 4))
    instants = iter(draw(st.permutations(range(1, 6 * tasks + 1))))
    return [
        {
            "limits": [next(instants) for _ in range(draw(st.integers(1, 3)))],
            "work": next(instants),
            "ends": draw(st.sampled_from(["returns", "raises", "swallows", "translates"])),
            "cancelled": next(instants) if draw(st.booleans()) else None,
        }
        for _ in range(tasks)
    ]


def traced(program: list[dict[str, Any]], limiter: Any) -> list[Any]:
    """Run a program and return how and when each task ended, and what it was left with."""

    async def work(rules: dict[str, Any]) -> str:
        try:
            await asyncio.sleep(rules["work"])
        except asyncio.CancelledError:
            if rules["ends"] == "swallows":
                return "swallowed"
            if rules["ends"] == "translates":
                raise ConnectionResetError from None
            raise
        if rules["ends"] == "raises":
            raise LookupError
        return "done"

    async def one(rules: dict[str, Any]) -> Any:
        attempt: Body = lambda: work(rules)  # noqa: E731
        for seconds in rules["limits"]:
            attempt = lambda inner=attempt, seconds=seconds: limiter(inner, (), {}, float(seconds))  # type: ignore[misc]  # noqa: E731
        return *await outcome(asyncio.get_running_loop().time, attempt), cancelling()

    async def main() -> list[Any]:
        tasks = [asyncio.ensure_future(one(rules)) for rules in program]
        for task, rules in zip(tasks, program, strict=True):
            if rules["cancelled"] is not None:
                asyncio.get_running_loop().call_later(rules["cancelled"], task.cancel)
        return await asyncio.gather(*tasks, return_exceptions=True)

    return run_virtual(main())


@given(programs())
def test_as_asyncio_timeout_does(program: list[dict[str, Any]]) -> None:
    """Results, errors, instants and what is left of cancellations are those of `asyncio.timeout`."""
    assert traced(program, limited) == traced(program, stock)


# --- a compiled call, whose driver sets the limit itself ----------------------------------------------


def test_a_compiled_call_on_the_machines_own_time() -> None:
    """Loop and policy go by the same clock: the attempt is cut at the instant that the policy means, and in doubt."""
    pipeline = Pipeline(Policy(attempt_timeout="10ms"))  # type: ignore[arg-type]

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def main() -> tuple[Any, int]:
        task = asyncio.current_task()
        assert task is not None
        try:
            await pipeline.compile(hangs)()
        except TimeoutError as error:
            return error, task.cancelling()
        return None, -1

    error, cancelling = asyncio.run(main())
    assert (str(error), cancelling) == ("cancelled at the attempt's limit of 0.01 s", 0)
    assert failure_of(error).executed == "maybe"


def test_a_compiled_call_is_cancelled_by_its_owner(colour: Colour) -> None:
    """Whoever cancels a call that has a limit gets the cancellation, and the limit says nothing."""
    pipeline = Pipeline(Policy(attempt_timeout="10s"))  # type: ignore[arg-type]
    call = pipeline.compile(colour.sleep)

    async def main() -> str:
        if colour.name == "trio":
            with trio.move_on_after(1) as scope:
                await call(5)
            return "cancelled" if scope.cancelled_caught else "went on"
        task = asyncio.create_task(call(5))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait((task,))
        return "cancelled" if task.cancelled() else "went on"

    assert colour.run(main) == "cancelled"


@pytest.mark.parametrize(("inner", "outer"), [("1s", "5s"), ("5s", "1s")])
def test_compiled_calls_within_each_other(colour: Colour, inner: str, outer: str) -> None:
    """The nearer of two limits cuts, and what was set first goes on as if nothing had been."""

    async def main() -> tuple[type, float]:
        within = Pipeline(Policy(attempt_timeout=inner)).compile(colour.sleep)  # type: ignore[arg-type]
        around = Pipeline(Policy(attempt_timeout=outer)).compile(within)  # type: ignore[arg-type]
        started = colour.now()
        try:
            await around(30)
        except TimeoutError as error:
            return type(error), colour.now() - started
        return object, 0.0

    kind, took = colour.run(main)
    assert (kind, took) == (TimeoutError, pytest.approx(1.0, abs=1e-3))
