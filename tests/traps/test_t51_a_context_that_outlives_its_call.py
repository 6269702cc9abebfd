"""What is started inside a call inherits its deadline for ever: hours later it is refused for good."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
import trio

from resilience import NOT_FOUND, DeadlineExceededError, Pipeline, Policy, current_call
from resilience.testing import FakeClock

DEADLINE: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline", default=None)
NAME: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="")


class House:
    """A call that starts something, and what that calls later; both under a deadline of 30 s."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        policy = Policy(name="p", deadline="30s", retry={"max_attempts": 2, "backoff": {"initial": 0}})
        self.pipeline = Pipeline(policy, clock=self.clock, idempotent=True)
        self.price = self.pipeline.compile(lambda: "price")
        self.aprice = self.pipeline.compile(_aprice)

    def later(self) -> str:
        """Return what a call sees that is made after the deadline of the one in which it was started."""
        seen = current_call()
        return f"{self.price()} {None if seen is None else seen.operation}"


async def _aprice() -> str:
    return "price"


def test_naive() -> None:
    """A deadline in a context variable is copied into every task, which nobody takes it from again."""

    async def poll(started: asyncio.Event) -> float | None:
        await started.wait()
        return DEADLINE.get()

    async def run() -> float | None:
        started = asyncio.Event()
        token = DEADLINE.set(5.0)
        task = asyncio.create_task(poll(started))
        DEADLINE.reset(token)
        started.set()
        return await task

    assert asyncio.run(run()) == 5.0


def start_task(house: House, over: threading.Event) -> Callable[[], Any]:
    """A task of asyncio."""

    async def poll() -> str:
        assert await asyncio.to_thread(over.wait, 10)
        return f"{await house.aprice()} {current_call()}"

    task = asyncio.ensure_future(poll())
    return lambda: task


def start_timer_of_the_loop(house: House, over: threading.Event) -> Callable[[], Any]:
    """A timer of asyncio that sets itself again."""
    future = asyncio.get_running_loop().create_future()

    def tick() -> None:
        if over.is_set():
            future.set_result(house.later())
        else:
            asyncio.get_running_loop().call_later(0.001, tick)

    tick()
    return lambda: future


def start_to_thread(house: House, over: threading.Event) -> Callable[[], Any]:
    """A worker thread of asyncio, which gets a copy of the context."""

    def work() -> str:
        assert over.wait(10)
        return house.later()

    task = asyncio.ensure_future(asyncio.to_thread(work))
    return lambda: task


def start_thread(house: House, over: threading.Event) -> Callable[[], Any]:
    """A timer's thread with a copied context."""
    future = asyncio.get_running_loop().create_future()
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()

    def work() -> None:
        assert over.wait(10)
        result = context.run(house.later)
        with suppress(RuntimeError):  # that of an earlier lookup, for which nobody waits
            loop.call_soon_threadsafe(future.set_result, result)

    threading.Timer(0.0, work).start()
    return lambda: future


def start_executor(house: House, over: threading.Event) -> Callable[[], Any]:
    """A pool of threads that is given a copy of the context."""
    pool, context = ThreadPoolExecutor(1), contextvars.copy_context()

    def work() -> str:
        assert over.wait(10)
        return house.later()

    future = asyncio.wrap_future(pool.submit(context.run, work))
    pool.shutdown(wait=False)
    return lambda: future


STARTERS = [start_task, start_timer_of_the_loop, start_to_thread, start_thread, start_executor]


@pytest.mark.parametrize("outcome", ["first attempt", "retry", "lookup"])
@pytest.mark.parametrize("start", STARTERS)
def test_what_outlives_a_call_of_asyncio(start: Callable[..., Any], outcome: str) -> None:
    """Once the attempt or the lookup has ended that started it, it is no part of any call."""
    house, over, waits = House(), threading.Event(), list[Callable[[], Any]]()

    async def begin() -> str:
        if outcome == "retry" and not waits:
            waits.append(lambda: None)
            raise ConnectionRefusedError
        if outcome == "lookup":
            raise TimeoutError("late")
        waits.append(start(house, over))
        return "begun"

    async def look_up(_call: Any) -> Any:
        waits.append(start(house, over))
        return NOT_FOUND

    async def run() -> str:
        policy = Policy(name="outer", deadline="30s", retry={"max_attempts": 2, "backoff": {"initial": 0}})
        looked_up = {"reconcile": look_up} if outcome == "lookup" else {"idempotent": True}
        pipeline = Pipeline(policy, clock=house.clock, **looked_up)  # type: ignore[arg-type]
        try:
            await pipeline.acall(begin)
        except TimeoutError:
            assert outcome == "lookup"
        house.clock.advance(100.0)
        over.set()
        return str(await waits[-1]())

    assert asyncio.run(run()) == "price None"


def test_what_outlives_a_call_of_trio() -> None:
    """A task in the caller's nursery."""
    house, seen = House(), list[Any]()

    async def run() -> None:
        over = trio.Event()

        async def poll() -> None:
            await over.wait()
            seen.extend([await house.aprice(), current_call()])

        async with trio.open_nursery() as nursery:

            async def begin() -> None:
                nursery.start_soon(poll)

            await house.pipeline.acall(begin)
            house.clock.advance(100.0)
            over.set()

    trio.run(run)
    assert seen == ["price", None]


def test_what_outlives_a_call_of_a_thread() -> None:
    """A copied context is used after the call, by another thread and by the same one."""
    house, contexts = House(), list[contextvars.Context]()
    house.pipeline.call(lambda: contexts.append(contextvars.copy_context()))
    house.clock.advance(100.0)
    assert contexts[0].run(house.later) == "price None"
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(contexts[0].run, house.later).result() == "price None"


def test_a_call_inside_is_still_refused(driver: Any) -> None:
    """While the call runs, what it starts inherits its deadline."""
    clock, refused = FakeClock(), list[str]()
    inner = Pipeline(Policy(name="inner"), clock=clock, idempotent=True).compile(lambda: "never sent")

    def late() -> str:
        clock.advance(100.0)
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1) as pool:
            for call in (inner, lambda: pool.submit(context.run, inner).result()):
                try:
                    call()
                except DeadlineExceededError as error:
                    refused.append(str(error.reason))
        return "done"

    pipeline = Pipeline(Policy(name="outer", deadline="30s"), clock=clock, idempotent=True)
    assert driver.call(pipeline.compile(driver.function(late))) == "done"
    assert refused == ["deadline"] * 2


def test_an_outer_call_is_in_force_again(driver: Any) -> None:
    """A call inside restores the context of the one around it, also where it has failed and was retried."""
    house, seen = House(), list[str]()
    attempts = iter([ConnectionRefusedError, None])

    def inside() -> None:
        error = next(attempts)
        if error is not None:
            raise error

    inner = house.pipeline.compile(inside)

    def outer() -> None:
        inner()
        call = current_call()
        assert call is not None
        seen.append(call.operation)

    pipeline = Pipeline(Policy(name="outer"), clock=house.clock, operation="outer", idempotent=True)
    driver.call(pipeline.compile(driver.function(outer)))
    assert seen == ["outer"]
    assert current_call() is None


@pytest.mark.parametrize("threads", [True, False])
def test_a_hedge_that_has_lost(threads: bool) -> None:
    """What the attempts of a race start is no part of the race when that has ended."""
    contexts = list[contextvars.Context]()
    clock = FakeClock()
    policy = Policy(name="p", deadline="30s", hedge={"delay": "10s", "threads": threads})
    pipeline = Pipeline(policy, clock=clock, idempotent=True)

    def remember() -> str:
        contexts.append(contextvars.copy_context())
        return "done"

    async def aremember() -> str:
        return remember()

    if threads:
        assert pipeline.compile(remember)() == "done"
    else:
        assert asyncio.run(pipeline.compile(aremember)()) == "done"
    clock.advance(100.0)
    assert contexts[0].run(current_call) is None
    assert contexts[0].run(House().later) == "price None"


def test_an_async_generator_that_is_finalised_later() -> None:
    """It is closed by the loop after its call, and the context of whoever runs then stays as it is."""
    house, seen = House(), list[Any]()

    async def stream() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            seen.append(current_call())

    kept = list[AsyncIterator[int]]()

    async def begin() -> None:
        kept.append(stream())
        await anext(kept[0])

    async def run() -> None:
        await house.pipeline.acall(begin)
        house.clock.advance(100.0)

        async def other() -> None:
            kept.clear()
            gc.collect()
            await asyncio.sleep(0.01)
            call = current_call()
            assert call is not None

        await house.pipeline.acall(other)

    asyncio.run(run())
    assert len(seen) == 1


def test_other_context_variables_are_kept() -> None:
    """The program's own variables are copied as always."""
    house, seen = House(), list[str]()

    async def poll() -> None:
        await asyncio.sleep(0)
        seen.append(NAME.get())

    async def run() -> None:
        NAME.set("Ada")

        async def begin() -> list[Any]:
            return [asyncio.ensure_future(poll())]

        await (await house.pipeline.acall(begin))[0]

    asyncio.run(run())
    assert seen == ["Ada"]
