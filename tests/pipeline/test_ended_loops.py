"""Tests that a call whose event loop was closed gives back its slot, its permit and its key."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
import trio

from resilience import CircuitOpenError, Policies, RejectedError
from resilience.testing import FakeClock

SLOTS = {"admission": {"max_concurrent": 2, "max_queue": 0, "queue_timeout": "0s"}}
BREAKER = {"breaker": {"consecutive": 1, "open_for": "1s"}, "retry": {"max_attempts": 1}}
KEPT: list[Any] = []
"""Coroutines that are never collected, as a program may keep its tasks: their `finally` never runs."""


def leave_asyncio(call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Begin a call in an event loop that is then closed with the call under way."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(call())
    loop.set_exception_handler(lambda *_: None)  # it would report the pending task
    KEPT.append(task)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def leave_trio(call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Begin a call in a trio run that ends with the call under way: its coroutine is driven by hand and kept."""

    async def begin() -> None:
        coroutine = call()
        KEPT.append(coroutine)
        with suppress(StopIteration):
            coroutine.send(None)

    trio.run(begin)


LEAVE = pytest.mark.parametrize("leave", [leave_asyncio, leave_trio])


async def stuck() -> None:
    """Never return, under any event loop."""
    await Forever()


class Forever:
    def __await__(self) -> Any:
        while True:
            yield None


async def fine() -> str:
    """Answer."""
    return "fine"


@pytest.fixture(autouse=True)
def collected() -> Any:
    """Close what a test has kept, so that nothing is reported when it is collected."""
    yield
    for kept in KEPT:
        coroutine = kept.get_coro() if isinstance(kept, asyncio.Task) else kept
        with suppress(RuntimeError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            coroutine.close()
    KEPT.clear()


@LEAVE
def test_its_slot_is_free_again(leave: Callable[..., None]) -> None:
    """Once every slot is taken, those of ended loops are taken back; a call that really runs keeps its own."""
    policies = Policies.from_mapping({"policies": {"p": {"codes": ["http"], **SLOTS}}})
    wait, work = policies.resilient("p")(stuck), policies.resilient("p")(fine)

    async def main() -> list[Any]:
        running = asyncio.create_task(wait())
        await asyncio.sleep(0)
        answers = [await work()]
        more = asyncio.create_task(wait())
        await asyncio.sleep(0)
        with pytest.raises(RejectedError):
            await work()
        for task in (running, more):
            task.cancel()
        await asyncio.gather(running, more, return_exceptions=True)
        return answers

    for _ in range(2):
        leave(wait)
    admission: Any = policies.pipeline("p").shared.limits._admissions["p"]
    assert len(admission.running) == 2
    assert asyncio.run(main()) == ["fine"]
    assert not admission.running


@LEAVE
def test_its_permit_is_free_again(leave: Callable[..., None]) -> None:
    """The next call is the trial of a half-open breaker, without waiting until the permit expires."""
    clock = FakeClock()
    policies = Policies.from_mapping({"policies": {"p": {"codes": ["http"], **BREAKER}}}, clock=clock)
    wait, work = policies.resilient("p")(stuck), policies.resilient("p")(fine)
    policies.pipeline("p").breaker.open()  # type: ignore[union-attr]
    with pytest.raises(CircuitOpenError):
        asyncio.run(work())
    clock.advance(2)
    leave(wait)
    assert len(policies.pipeline("p").breaker.permits) == 1  # type: ignore[union-attr]
    assert asyncio.run(work()) == "fine"


@LEAVE
def test_its_key_is_free_again(leave: Callable[..., None]) -> None:
    """A call with the same key is sent; while the first one's loop runs, it is refused."""
    policies = Policies.from_mapping({"policies": {"p": {"codes": ["http"]}}})

    async def stuck_order(key: str) -> None:
        await Forever()

    async def order(key: str) -> str:
        return key

    wait = policies.resilient("p", operation="order", key="key")(stuck_order)
    place = policies.resilient("p", operation="order", key="key")(order)

    async def beside() -> None:
        task = asyncio.create_task(wait(key="one"))
        await asyncio.sleep(0)
        with pytest.raises(RejectedError):
            await place(key="one")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(beside())
    leave(lambda: wait(key="two"))
    assert asyncio.run(place(key="two")) == "two"


def test_a_coroutine_that_is_collected_gives_all_back() -> None:
    """Where nobody keeps the call of a closed loop, it ends when it is collected."""
    policies = Policies.from_mapping({"policies": {"p": {"codes": ["http"], **SLOTS}}})
    leave_asyncio(policies.resilient("p")(stuck))
    admission: Any = policies.pipeline("p").shared.limits._admissions["p"]
    assert len(admission.running) == 1
    KEPT.pop().get_coro().close()
    assert not admission.running
