"""The virtual loop: timers fire in order, time jumps, nothing of the real world gets in."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from resilience.simulate import VirtualClock, VirtualLoop, run_virtual

YEAR = 365 * 86_400.0


def test_years_pass_at_once() -> None:
    """A thousand tasks that sleep for years end at their own instants; a real clock would show it."""

    async def main() -> list[float]:
        time = asyncio.get_running_loop().time

        async def one(years: int) -> float:
            await asyncio.sleep(years * YEAR)
            return time()

        return await asyncio.gather(*(one(years) for years in range(1000)))

    assert run_virtual(main()) == [years * YEAR for years in range(1000)]


def test_timers_fire_in_order() -> None:
    """Timers fire by instant, then in the order in which they were set; one of the past fires at once."""
    seen: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for name, when in (("c", 3.0), ("a", 1.0), ("b1", 2.0), ("b2", 2.0), ("past", -1.0)):
            loop.call_at(when, lambda name=name: seen.append((name, loop.time())))
        await asyncio.sleep(5)

    run_virtual(main())
    assert seen == [("past", 0.0), ("a", 1.0), ("b1", 2.0), ("b2", 2.0), ("c", 3.0)]


def test_what_is_ready_comes_before_time_moves() -> None:
    """A chain of steps at the same instant ends before the time advances."""
    seen: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def step(left: int) -> None:
            seen.append(loop.time())
            if left:
                loop.call_soon(step, left - 1)

        loop.call_later(1.0, step, 100)
        await asyncio.sleep(1.001)

    run_virtual(main())
    assert seen == [1.0] * 101


def test_cancelled_timers_do_not_fire() -> None:
    """Cancelled before, or by another timer of the same instant; and time does not stop for them."""
    seen: list[str] = []

    async def main() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(1.0, seen.append, "before").cancel()
        siblings: list[asyncio.TimerHandle] = []
        loop.call_at(2.0, lambda: [one.cancel() for one in siblings])
        siblings.append(loop.call_at(2.0, seen.append, "sibling"))
        await asyncio.sleep(3)
        return loop.time()

    assert (run_virtual(main()), seen) == (3.0, [])


def test_timeouts_and_cancellation_of_asyncio() -> None:
    """What asyncio builds on timers works as it does in real time."""

    async def main() -> tuple[Any, ...]:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 7)
        first = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.sleep(60)
        second = loop.time()
        task = asyncio.create_task(asyncio.sleep(YEAR))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return first, second, loop.time()

    assert run_virtual(main()) == (7.0, 10.0, 11.0)


def test_nothing_left_to_happen() -> None:
    """A program that waits for nothing raises instead of hanging."""

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="no timer is left that could wake it"):
        run_and_clean(main())


def run_and_clean(main: Any) -> None:
    """Run on a loop whose left-over task is cancelled afterwards."""
    loop = VirtualLoop()
    task = loop.create_task(main)
    try:
        loop.run_until_complete(task)
    finally:
        task.cancel()
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()


def test_no_sockets_and_no_threads() -> None:
    """Sockets and threads need real time, so the loop rejects them."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError, match="threads"):
            await asyncio.to_thread(int)
        one, other = socket.socketpair()
        with one, other, pytest.raises(RuntimeError, match="sockets"):
            loop.add_reader(one, print)

    run_virtual(main())


def test_left_over_tasks_are_cancelled() -> None:
    """The end of the program is the end of its tasks."""
    seen: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.sleep(YEAR)
        finally:
            seen.append("ended")

    async def main() -> None:
        main.task = asyncio.ensure_future(forever())  # type: ignore[attr-defined]
        await asyncio.sleep(1)

    run_virtual(main())
    assert seen == ["ended"]


def test_the_clock_of_a_pipeline() -> None:
    """Its monotonic and its Unix time move together; a blocking sleep raises an error."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        began = clock.time()
        await clock.asleep(90)
        await clock.asleep(0)
        assert (clock.monotonic(), clock.time() - began) == (90.0, 90.0)
        with pytest.raises(RuntimeError, match="block"):
            clock.sleep(1)

    run_virtual(main())
