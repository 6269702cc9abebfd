"""A call that is cancelled: permits go back, nothing is counted or retried, and a write is told with its key."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import trio

from resilience import NOT_FOUND, Policies
from resilience.testing import FakeClock

RULES: dict[str, Any] = {
    "codes": ["http"],
    "retry": {"max_attempts": 3},
    "breaker": {"consecutive": 1, "open_for": "1s"},
    "reconcile": {},
}


def policies() -> tuple[Policies, list[Any]]:
    """Policies on the real clock, and what they told."""
    made = Policies.from_mapping({"policies": {"p": RULES}})
    events: list[Any] = []
    made.subscribe(events.append)
    return made, events


def test_asyncio_while_sending() -> None:
    """Cancelled inside the attempt: maybe, with its key."""
    made, events = policies()

    async def order(*, client_id: str) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        task = asyncio.create_task(made.resilient("p", key="client_id")(order)(client_id="mine"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert [(event.name, event.key, event.executed) for event in events] == [("call_abandoned", "mine", "maybe")]
    assert made.pipeline("p").breaker.state == "closed"  # type: ignore[union-attr]


def test_trio_while_sending() -> None:
    """The same under trio."""
    made, events = policies()

    async def order(*, client_id: str) -> None:
        await trio.sleep_forever()

    async def run() -> None:
        with trio.move_on_after(0.01):
            await made.resilient("p", key="client_id")(order)(client_id="mine")

    trio.run(run)
    assert [(event.name, event.key, event.executed) for event in events] == [("call_abandoned", "mine", "maybe")]


@pytest.mark.parametrize("first", [ConnectionRefusedError, TimeoutError])
def test_asyncio_while_waiting_or_looking(first: type[Exception]) -> None:
    """Cancelled in a backoff nothing is in doubt; cancelled before a look everything is."""
    made, events = policies()

    async def order(*, client_id: str) -> None:
        raise first

    async def look(call: Any) -> Any:
        return NOT_FOUND

    async def run() -> None:
        made_order = made.resilient("p", key="client_id", reconcile=look)(order)
        task = asyncio.create_task(made_order(client_id="mine"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    made.pipeline("p").breaker.close()  # type: ignore[union-attr]
    if first is ConnectionRefusedError:
        made = Policies.from_mapping({"policies": {"p": {**RULES, "breaker": None}}})
        made.subscribe(events.append)
    asyncio.run(run())
    told = events[-1]
    assert (told.name, told.key) == ("call_abandoned", "mine")
    assert told.executed == ("no" if first is ConnectionRefusedError else "maybe")


def test_a_read_that_is_cancelled_is_not_told() -> None:
    """Nothing is left behind by a read."""
    made, events = policies()

    def read() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.resilient("p", idempotent=True)(read)()
    assert events == []


def test_ctrl_c_in_a_sync_write() -> None:
    """A Ctrl-C passes, is never retried, and tells the key."""
    made, events = policies()

    def order(*, client_id: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.resilient("p", key="client_id")(order)(client_id="mine")
    assert [(event.name, event.key) for event in events] == [("call_abandoned", "mine")]


def test_an_attempt_that_is_cut_is_a_plain_timeout() -> None:
    """The attempt's own limit is no cancellation: it is a TimeoutError, retried where that is safe."""
    made = Policies.from_mapping(
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

    assert asyncio.run(made.resilient("p", idempotent=True)(slow)()) == "fine"
    tries.clear()
    assert trio.run(made.resilient("p", idempotent=True)(slow_trio)) == "fine"
    tries.clear()
    with pytest.raises(TimeoutError) as caught:
        asyncio.run(made.resilient("p")(slow)())
    assert "maybe" in caught.value.__notes__[0]


def test_a_cancellation_from_outside_is_not_mistaken_for_the_limit() -> None:
    """Cancelled by its own task's owner while a limit runs: CancelledError, and the task says so."""
    made = Policies.from_mapping({"policies": {"p": {"attempt_timeout": "5s", "deadline": "10s", "retry": {}}}})

    async def slow() -> None:
        await asyncio.sleep(5)

    async def run() -> bool:
        task = asyncio.create_task(made.resilient("p", idempotent=True)(slow)())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(run())


def test_the_fake_clock_lets_other_tasks_run() -> None:
    """A retry's sleep on a fake clock is still a place where tasks switch."""
    made = Policies.from_mapping(
        {"policies": {"p": {"codes": ["http"], "retry": {"max_attempts": 3}}}}, clock=FakeClock()
    )
    order: list[str] = []

    async def flaky(name: str, tries: list[int]) -> None:
        order.append(name)
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionRefusedError

    async def run() -> None:
        call = made.resilient("p")(flaky)
        await asyncio.gather(call("a", []), call("b", []))

    asyncio.run(run())
    assert order[:4] == ["a", "b", "a", "b"]
