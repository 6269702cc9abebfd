"""Tests of slots and quota under many threads and tasks, and under cancellation at every await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trio

from resilience import AdmissionRejectedError, Policies
from resilience.testing import FakeClock

NOBODY = {"running": 0, "waiting": 0}


class Crowd:
    """Counts the calls that run at the same time. Safe across threads."""

    def __init__(self) -> None:
        self.inside = self.max_inside = self.done = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.inside += 1
            self.max_inside = max(self.max_inside, self.inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.inside -= 1
            self.done += 1


def new_policies(clock: Any = None, **policy: Any) -> Policies:
    """Return policies with one policy `p` of these settings."""
    return Policies.from_mapping({"policies": {"p": {"codes": ["http"], **policy}}}, clock=clock)


def is_idle(policies: Policies) -> bool:
    """Whether no call runs or waits, and no queue ticket or permit is left."""
    pipeline = policies.pipeline("p")
    lanes = pipeline.describe()["admission"]["lanes"]
    lines = [quota.common._tickets for quota in policies.pipeline("p").shared.limits._quotas.values()]
    permits = pipeline.breaker is not None and pipeline.breaker.describe()["trials"]
    return lanes["default"] == NOBODY and not any(lines) and not permits


TEN: dict[str, Any] = {"admission": {"max_concurrent": 10, "max_queue": 1000, "queue_timeout": "60s"}}


def test_a_thousand_threads_on_ten_slots() -> None:
    """At most ten run at a time; all of them run."""
    policies, crowd = new_policies(**TEN), Crowd()

    @policies.resilient("p")
    def work() -> None:
        with crowd:
            met.wait(0.001)

    met = threading.Event()
    threads = [threading.Thread(target=work) for _ in range(1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (crowd.done, crowd.inside) == (1000, 0)
    assert crowd.max_inside <= 10
    assert is_idle(policies)


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_thousand_tasks_on_ten_slots(library: str) -> None:
    """At most ten run at a time; all of them run, in the order of arrival."""
    policies, crowd, order = new_policies(**TEN), Crowd(), list[int]()
    pause: Callable[[float], Awaitable[Any]] = asyncio.sleep if library == "asyncio" else trio.sleep

    @policies.resilient("p")
    async def work(number: int) -> None:
        order.append(number)
        with crowd:
            await pause(0)
            await pause(0)

    async def crowd_asyncio() -> None:
        await asyncio.gather(*(work(number) for number in range(1000)))

    async def crowd_trio() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(1000):
                nursery.start_soon(work, number)

    asyncio.run(crowd_asyncio()) if library == "asyncio" else trio.run(crowd_trio)
    assert (crowd.done, crowd.max_inside) == (1000, 10)
    assert library == "trio" or order == sorted(order)  # trio starts tasks in any order
    assert is_idle(policies)


def test_threads_and_loops_hand_slots_to_each_other() -> None:
    """Sync callers, two asyncio loops and a trio loop share the two slots of one policy."""
    policies, crowd = new_policies(admission={"max_concurrent": 2, "max_queue": 1000, "queue_timeout": "60s"}), Crowd()

    @policies.resilient("p")
    def sync() -> None:
        with crowd:
            pass

    @policies.resilient("p")
    async def on_asyncio() -> None:
        with crowd:
            await asyncio.sleep(0)

    @policies.resilient("p")
    async def on_trio() -> None:
        with crowd:
            await trio.lowlevel.checkpoint()

    async def many_asyncio() -> None:
        await asyncio.gather(*(on_asyncio() for _ in range(100)))

    async def many_trio() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(on_trio)

    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(asyncio.run, many_asyncio()) for _ in range(2)]
        runs.append(pool.submit(trio.run, many_trio))
        runs += [pool.submit(sync) for _ in range(100)]
        for run in runs:
            run.result()
    assert crowd.done == 400
    assert crowd.max_inside <= 2
    assert is_idle(policies)


CLOSE: dict[str, Any] = {
    "quota": [{"rate": "100/s", "burst": 2}],
    "admission": {"max_concurrent": 1, "max_queue": 10, "queue_timeout": "30s"},
    "retry": {"max_attempts": 3, "backoff": {"kind": "constant", "initial": "5ms", "jitter": "none"}},
    "breaker": {"consecutive": 1000},
    "deadline": "60s",
}


def flaky(pause: Callable[[float], Awaitable[Any]]) -> Callable[[list[int]], Awaitable[str]]:
    """Return a function that fails once for each list, and awaits before and after."""

    async def work(tries: list[int]) -> str:
        await pause(0)
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionRefusedError
        await pause(0)
        return "fine"

    return work


@pytest.mark.parametrize("half_open", [False, True])
@pytest.mark.parametrize("steps", range(30))
def test_asyncio_cancelled_at_every_point(steps: int, half_open: bool) -> None:
    """One of four tasks is cancelled after some steps of the loop: the others succeed, and every permit is returned."""
    policies = new_policies(FakeClock(), **CLOSE)
    work = policies.resilient("p", idempotent=True)(flaky(asyncio.sleep))
    clock: Any = policies.clock
    breaker = policies.pipeline("p").breaker
    assert breaker is not None

    async def run() -> list[Any]:
        if half_open:
            breaker.open()
            clock.advance(5)
        tasks = [asyncio.create_task(work([])) for _ in range(4)]
        for _ in range(steps):
            await asyncio.sleep(0)
        tasks[steps % 3].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    ends = asyncio.run(run())
    assert all(end == "fine" or isinstance(end, (asyncio.CancelledError, Exception)) for end in ends)
    assert half_open or sum(end == "fine" for end in ends) >= 3
    assert is_idle(policies)
    clock.advance(1)
    assert policies.pipeline("p").describe()["quota"][0]["left"] == 2


@pytest.mark.parametrize("steps", range(30))
def test_trio_cancelled_at_every_point(steps: int) -> None:
    """One of four tasks is cancelled after some steps of trio's loop: the others succeed."""
    policies = new_policies(FakeClock(), **CLOSE)
    work = policies.resilient("p", idempotent=True)(flaky(trio.sleep))
    ends: list[str] = []

    async def call(scope: trio.CancelScope) -> None:
        with scope:
            ends.append(await work([]))

    async def run() -> None:
        scopes = [trio.CancelScope() for _ in range(4)]
        async with trio.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(call, scope)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            scopes[steps % 3].cancel()

    trio.run(run)
    assert len(ends) >= 3
    assert is_idle(policies)
    clock: Any = policies.clock
    clock.advance(1)
    assert policies.pipeline("p").describe()["quota"][0]["left"] == 2


def test_ctrl_c_in_a_wait_for_the_quota() -> None:
    """An interrupted sync wait gives up its queue ticket."""

    class Interrupted(FakeClock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    policies = new_policies(Interrupted(), quota=[{"rate": "1/s", "burst": 1}], admission={})
    work = policies.resilient("p")(lambda: "fine")
    assert work() == "fine"
    with pytest.raises(KeyboardInterrupt):
        work()
    assert is_idle(policies)


@pytest.mark.parametrize("limit", ["queue_timeout", "deadline"])
def test_a_wait_in_the_queue_is_limited(driver: Any, limit: str) -> None:
    """A call waits in the queue no longer than the queue's timeout or its deadline."""
    rules: dict[str, Any] = {"max_concurrent": 1, "max_queue": 1, "queue_timeout": "60s"}
    policies = new_policies(admission={**rules, "queue_timeout": "1s"} if limit == "queue_timeout" else rules,
                    deadline="1s" if limit == "deadline" else "60s")  # fmt: skip
    limits = policies.pipeline("p").shared.limits
    work = policies.resilient("p")(driver.function(lambda: "fine"))
    assert driver.call(work) == "fine"
    admission = limits._admissions["p"]
    slot = admission.new_slot("")
    assert admission.try_enter(slot)
    with pytest.raises(AdmissionRejectedError):
        driver.call(work)
    admission.release(slot)
    assert driver.call(work) == "fine"
    assert is_idle(policies)


def test_a_loop_that_ends_with_a_waiter_in_it() -> None:
    """A loop that ends takes its waiting call with it; the next call gets the slot."""
    policies = new_policies(admission={"max_concurrent": 1, "max_queue": 5, "queue_timeout": "60s"})

    @policies.resilient("p")
    async def work() -> str:
        return "fine"

    admission = policies.pipeline("p").shared.limits.admission(policies.policy("p"))
    assert admission is not None
    slot = admission.new_slot("")
    assert admission.try_enter(slot)

    async def leave_it() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0.001)
        assert admission.counts()[""]["waiting"] == 1
        del task

    asyncio.run(leave_it())
    assert admission.counts()[""] == {"running": 1, "waiting": 0}
    admission.release(slot)
    assert asyncio.run(work()) == "fine"
