"""Tests of cancelled calls: permits are returned, nothing is counted or retried, a write is reported with its key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import trio

from resilience import NOT_FOUND, Policies
from resilience.testing import FakeClock

RULES: dict[str, Any] = {
    "codes": ["http"],
    "retry": {"max_attempts": 3, "backoff": {"initial": "2s", "jitter": "none"}},
    "breaker": {"consecutive": 1, "open_for": "1s"},
    "reconcile": {"wait": "2s"},
}


def new_policies() -> tuple[Policies, list[Any]]:
    """Return policies on the real clock, and the list of their events."""
    policies = Policies.from_mapping({"policies": {"p": RULES}})
    events: list[Any] = []
    policies.subscribe(events.append)
    return policies, events


def test_asyncio_while_sending() -> None:
    """A write that is cancelled inside its attempt is reported as `maybe`, with its key."""
    policies, events = new_policies()

    async def order(*, client_id: str) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        task = asyncio.create_task(policies.resilient("p", key="client_id")(order)(client_id="mine"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert [(event.name, event.key, event.executed) for event in events] == [("call_abandoned", "mine", "maybe")]
    assert policies.pipeline("p").breaker.state == "closed"  # type: ignore[union-attr]


def test_trio_while_sending() -> None:
    """A write that trio cancels inside its attempt is reported as `maybe`, with its key."""
    policies, events = new_policies()

    async def order(*, client_id: str) -> None:
        await trio.sleep_forever()

    async def run() -> None:
        with trio.move_on_after(0.01):
            await policies.resilient("p", key="client_id")(order)(client_id="mine")

    trio.run(run)
    assert [(event.name, event.key, event.executed) for event in events] == [("call_abandoned", "mine", "maybe")]


@pytest.mark.parametrize("first", [ConnectionRefusedError, TimeoutError])
def test_asyncio_while_waiting_for_a_retry_or_a_lookup(first: type[Exception]) -> None:
    """In a backoff after `executed: no` the outcome is known; before a lookup it is not."""
    policies, events = new_policies()

    async def order(*, client_id: str) -> None:
        raise first

    async def reconcile(call: Any) -> Any:
        return NOT_FOUND

    async def run() -> None:
        call = policies.resilient("p", key="client_id", reconcile=reconcile)(order)
        waits = asyncio.Event()
        policies.subscribe(lambda event: waits.set() if event.name == "attempt_failed" else None)
        task = asyncio.create_task(call(client_id="mine"))
        await waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    policies.pipeline("p").breaker.close()  # type: ignore[union-attr]
    if first is ConnectionRefusedError:
        policies = Policies.from_mapping({"policies": {"p": {**RULES, "breaker": None}}})
        policies.subscribe(events.append)
    asyncio.run(run())
    abandoned = events[-1]
    assert (abandoned.name, abandoned.key) == ("call_abandoned", "mine")
    assert abandoned.executed == ("no" if first is ConnectionRefusedError else "maybe")


def test_a_cancelled_read_is_not_reported() -> None:
    """A cancelled read changes nothing that the caller must know of."""
    policies, events = new_policies()

    def read() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        policies.resilient("p", idempotent=True)(read)()
    assert events == []


def test_ctrl_c_in_a_sync_write() -> None:
    """KeyboardInterrupt is raised and never retried; the event has the key."""
    policies, events = new_policies()

    def order(*, client_id: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        policies.resilient("p", key="client_id")(order)(client_id="mine")
    assert [(event.name, event.key) for event in events] == [("call_abandoned", "mine")]


def test_an_attempt_that_reaches_its_limit_is_a_timeout() -> None:
    """The attempt's own limit raises TimeoutError, which is retried where that is safe."""
    policies = Policies.from_mapping(
        {"policies": {"p": {"attempt_timeout": "10ms", "retry": {"max_attempts": 2, "backoff": {"initial": 0}}}}}
    )
    tries: list[int] = []

    async def slow() -> str:
        tries.append(1)
        if len(tries) == 1:
            await asyncio.sleep(5)
        return "fine"

    async def slow_trio() -> str:
        tries.append(1)
        if len(tries) == 1:
            await trio.sleep(5)
        return "fine"

    assert asyncio.run(policies.resilient("p", idempotent=True)(slow)()) == "fine"
    tries.clear()
    assert trio.run(policies.resilient("p", idempotent=True)(slow_trio)) == "fine"
    tries.clear()
    with pytest.raises(TimeoutError) as caught:
        asyncio.run(policies.resilient("p")(slow)())
    assert "maybe" in caught.value.__notes__[0]


def test_a_cancellation_from_outside_is_not_mistaken_for_the_limit() -> None:
    """A task that its owner cancels before the limit ends as cancelled."""
    policies = Policies.from_mapping({"policies": {"p": {"attempt_timeout": "60s", "deadline": "90s", "retry": {}}}})

    async def slow() -> None:
        begun.set()
        await asyncio.sleep(60)

    begun = asyncio.Event()

    async def run() -> bool:
        task = asyncio.create_task(policies.resilient("p", idempotent=True)(slow)())
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(run())


def test_the_fake_clock_lets_other_tasks_run() -> None:
    """Tasks switch during a retry's sleep on a fake clock."""
    policies = Policies.from_mapping(
        {"policies": {"p": {"codes": ["http"], "retry": {"max_attempts": 3}}}}, clock=FakeClock()
    )
    order: list[str] = []

    async def flaky(name: str, tries: list[int]) -> None:
        order.append(name)
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionRefusedError

    async def run() -> None:
        call = policies.resilient("p")(flaky)
        await asyncio.gather(call("a", []), call("b", []))

    asyncio.run(run())
    assert order[:4] == ["a", "b", "a", "b"]
