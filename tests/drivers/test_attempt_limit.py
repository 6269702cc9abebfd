"""Tests of the time limit of async attempts, on virtual time: it neither takes nor loses other cancellations."""

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


class AsyncLibrary:
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
def library(request: pytest.FixtureRequest) -> AsyncLibrary:
    """Runs a test under asyncio and under trio."""
    return AsyncLibrary(request.param)


async def outcome(now: Callable[[], float], body: Body) -> tuple[Any, float]:
    """Return the result of a body or the class of its error, and the seconds it took."""
    started = now()
    try:
        result = await body()
    except (Exception, asyncio.CancelledError) as error:
        result = type(error)
    return result, round(now() - started, 6)


def test_cancelled_at_the_limit(library: AsyncLibrary) -> None:
    """An attempt that takes too long ends exactly at its limit, with a clear error."""

    async def main() -> None:
        started = library.now()
        with pytest.raises(TimeoutError, match=r"limit of 2 s"):
            await limited(library.sleep, (10,), {}, 2.0)
        assert library.now() - started == pytest.approx(2.0)

    library.run(main)


def test_an_answer_before_the_limit(library: AsyncLibrary) -> None:
    """A result in time is returned, and nothing is cancelled afterwards."""

    async def quick() -> str:
        await library.sleep(1)
        return "done"

    async def main() -> None:
        assert await limited(quick, (), {}, 2.0) == "done"
        await library.sleep(10)

    library.run(main)


@pytest.mark.parametrize(("inner", "outer"), [(1.0, 3.0), (3.0, 1.0), (1.0, 1.0)])
def test_nested_limits(library: AsyncLibrary, inner: float, outer: float) -> None:
    """The earlier limit decides; at the same instant one TimeoutError is raised, once."""

    async def attempt() -> Any:
        return await limited(library.sleep, (10,), {}, inner)

    async def main() -> None:
        kind, took = await outcome(library.now, lambda: limited(attempt, (), {}, outer))
        assert (kind, took) == (TimeoutError, min(inner, outer))
        await library.sleep(20)

    library.run(main)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_left(library: AsyncLibrary, seconds: float) -> None:
    """Without remaining time an attempt is cancelled at its first await; one that never awaits is not."""

    async def at_once() -> int:
        return 1

    async def main() -> None:
        assert await outcome(library.now, lambda: limited(library.sleep, (5,), {}, seconds)) == (TimeoutError, 0)
        assert await limited(at_once, (), {}, seconds) == 1

    library.run(main)


def test_its_own_timeout_error_is_not_ours(library: AsyncLibrary) -> None:
    """A `TimeoutError` that the attempt raises itself reaches the caller unchanged."""
    error = TimeoutError("the client's own")

    async def fails() -> None:
        await library.sleep(1)
        raise error

    async def main() -> None:
        with pytest.raises(TimeoutError) as caught:
            await limited(fails, (), {}, 2.0)
        assert caught.value is error

    library.run(main)


# --- asyncio alone: who cancelled ------------------------------------------------------------------


def cancelling() -> int:
    """Return the pending cancellation requests of this task."""
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


def test_a_reached_limit_leaves_no_cancellation_request() -> None:
    """After a reached limit the task has no pending cancellation request."""

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await limited(asyncio.sleep, (10,), {}, 1.0)
        assert cancelling() == 0
        async with asyncio.timeout(5):
            await asyncio.sleep(1)

    run_virtual(main())


@pytest.mark.parametrize("first", ["canceller", "limit"])
def test_cancelled_at_the_instant_of_the_limit(first: str) -> None:
    """The other cancellation wins, whichever of the two timers was set first."""

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


def test_a_cancellation_that_the_attempt_catches() -> None:
    """The result of an attempt that catches its cancellation counts, and so does an error that it raises instead."""

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
    """An answer that has arrived when the limit is reached is not discarded: it may be an order."""

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
    """Each of many attempts is cancelled at its own limit, in whatever order they began or ended."""
    limits = [1 + (number * 7919) % 997 / 100 for number in range(3000)]

    async def main() -> list[tuple[Any, float]]:
        time = asyncio.get_running_loop().time

        async def attempt(number: int) -> tuple[Any, float]:
            await asyncio.sleep(number / 1000)
            takes = 0.5 if number % 3 else 100
            return await outcome(time, lambda: limited(asyncio.sleep, (takes, "done"), {}, limits[number]))

        return await asyncio.gather(*(attempt(number) for number in range(len(limits))))

    for number, (result, took) in enumerate(run_virtual(main())):
        expected = ("done", 0.5) if number % 3 else (TimeoutError, limits[number])
        assert (result, took) == (expected[0], pytest.approx(expected[1], abs=1e-5))


def test_ended_limits_are_removed() -> None:
    """Long limits of ended attempts do not accumulate while short ones keep the timer busy."""

    async def main() -> int:
        for _ in range(2000):
            await asyncio.gather(
                outcome(asyncio.get_running_loop().time, lambda: limited(asyncio.sleep, (1,), {}, 0.01)),
                limited(asyncio.sleep, (0.02,), {}, 3600.0),
            )
        return sum(type(obj) is TimeLimit for obj in gc.get_objects())

    assert run_virtual(main()) < 200


def test_a_reached_limit_keeps_nothing_alive() -> None:
    """With the garbage collector off, no object of a cancelled attempt stays alive."""

    async def time_out() -> None:
        try:
            await limited(asyncio.sleep, (10,), {}, 1.0)
        except TimeoutError:
            pass

    async def main() -> tuple[int, int]:
        await time_out()
        gc.collect()
        gc.disable()
        try:
            before = len(gc.get_objects())
            for _ in range(50):
                await time_out()
            after = len(gc.get_objects())
            gc.set_debug(gc.DEBUG_SAVEALL)  # what is collected is kept in gc.garbage
            gc.collect()
            ours = (TimeLimit, TimeoutError, asyncio.CancelledError)
            return after - before, sum(type(obj) in ours for obj in gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()

    remaining, cycles = run_virtual(main())
    assert (remaining < 10, cycles) == (True, 0)


def test_loops_after_and_beside_each_other() -> None:
    """Two loops in turn in one thread, and loops in other threads, each have their own limits."""
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    seen: list[Any] = []

    async def time_out() -> None:
        seen.append(await outcome(lambda: 0.0, lambda: limited(asyncio.sleep, (30,), {}, 0.01)))

    for loop in (first, second, first):
        loop.run_until_complete(time_out())
    first.close()
    second.close()
    threads = [threading.Thread(target=asyncio.run, args=(time_out(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [(TimeoutError, 0.0)] * 7


def test_without_a_task() -> None:
    """A limit needs a task to cancel; without one the call raises a RuntimeError."""

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


async def by_asyncio_timeout(send: Any, args: Any, kwargs: Any, seconds: float) -> Any:
    """Await the attempt under `asyncio.timeout`."""
    async with asyncio.timeout(seconds):
        return await send(*args, **kwargs)


@st.composite
def programs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw tasks whose limits, work and cancellations never share an instant."""
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
    """Run a program; return each task's outcome, time and pending cancellation requests."""

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

    async def run_task(rules: dict[str, Any]) -> Any:
        attempt: Body = lambda: work(rules)  # noqa: E731
        for seconds in rules["limits"]:
            attempt = lambda inner=attempt, seconds=seconds: limiter(inner, (), {}, float(seconds))  # type: ignore[misc]  # noqa: E731
        return *await outcome(asyncio.get_running_loop().time, attempt), cancelling()

    async def main() -> list[Any]:
        tasks = [asyncio.ensure_future(run_task(rules)) for rules in program]
        for task, rules in zip(tasks, program, strict=True):
            if rules["cancelled"] is not None:
                asyncio.get_running_loop().call_later(rules["cancelled"], task.cancel)
        return await asyncio.gather(*tasks, return_exceptions=True)

    return run_virtual(main())


@given(programs())
def test_as_asyncio_timeout_does(program: list[dict[str, Any]]) -> None:
    """Results, errors, times and pending cancellation requests are those of `asyncio.timeout`."""
    assert traced(program, limited) == traced(program, by_asyncio_timeout)


# --- a compiled call, whose driver sets the limit itself ----------------------------------------------


def test_a_compiled_call_on_the_machines_own_time() -> None:
    """Loop and policy use the same clock: the attempt is cancelled at the policy's limit, with an unknown outcome."""
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


def test_a_compiled_call_is_cancelled_by_its_owner(library: AsyncLibrary) -> None:
    """The owner's cancellation of a call with a limit stays a cancellation."""
    pipeline = Pipeline(Policy(attempt_timeout="10s"))  # type: ignore[arg-type]
    call = pipeline.compile(library.sleep)

    async def main() -> str:
        if library.name == "trio":
            with trio.move_on_after(1) as scope:
                await call(5)
            return "cancelled" if scope.cancelled_caught else "went on"
        task = asyncio.create_task(call(5))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait((task,))
        return "cancelled" if task.cancelled() else "went on"

    assert library.run(main) == "cancelled"


@pytest.mark.parametrize(("inner", "outer"), [("1s", "5s"), ("5s", "1s")])
def test_compiled_calls_within_each_other(library: AsyncLibrary, inner: str, outer: str) -> None:
    """The earlier of two limits cancels the attempt."""

    async def main() -> tuple[type, float]:
        within = Pipeline(Policy(attempt_timeout=inner)).compile(library.sleep)  # type: ignore[arg-type]
        around = Pipeline(Policy(attempt_timeout=outer)).compile(within)  # type: ignore[arg-type]
        started = library.now()
        try:
            await around(30)
        except TimeoutError as error:
            return type(error), library.now() - started
        return object, 0.0

    kind, took = library.run(main)
    assert (kind, took) == (TimeoutError, pytest.approx(1.0, abs=1e-3))
