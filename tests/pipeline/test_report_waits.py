"""A stream's report of an uncertain write ends the wait for its next lookup, in a thread, under asyncio and trio."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from resilience import NOT_FOUND, Found, Pipeline, Policy, failure_of
from resilience._core.call.open_writes import OPEN_WRITES
from resilience._core.call.operation_info import OperationInfo
from resilience.testing import FakeClock
from tests.conftest import Driver

FENCE = 20.0  # seconds: what a broken test would wait
RULES = {"early_checks": 1, "wait": 0.01, "fence": FENCE}


def policy(**settings: Any) -> Policy:
    """Return a policy with one early lookup and a long fence."""
    return Policy(**{"deadline": 60.0, "retry": {"max_attempts": 2}, "reconcile": RULES, **settings})


def write(driver: Any, lookup: Any) -> OperationInfo:
    """Return the operation of an order with a key and a lookup."""
    return OperationInfo(operation="place", key="client_id", reconcile=driver.function(lookup))


def lost() -> Any:
    """Return an error after which nobody knows whether the write was executed."""
    return ConnectionResetError("the answer is lost")


def place_uncertain(driver: Any, lookup: Any, events: list[Any], **settings: Any) -> Any:
    """Place an order whose answer is lost, and return what the call returns."""
    pipeline = Pipeline(policy(**settings), listeners=[events.append])
    send = driver.transport([lost(), "sent a second time"])

    def place(*, client_id: str) -> Any:
        return send()

    async def place_async(*, client_id: str) -> Any:
        return await send()

    function = place if driver.kind == "sync" else place_async
    decorated = pipeline.compile(function, write(driver, lookup))
    return driver.call(decorated, client_id="mine")


def waited(events: list[Any]) -> float:
    """Return the seconds that the call had waited when it was settled."""
    (event,) = [event for event in events if event.name == "call_reconciled"]
    return float(event.waited_so_far)


def test_a_report_between_two_lookups(driver: Any) -> None:
    """The next lookup begins at once instead of at the fence, and its answer is the call's."""
    answers, events = [NOT_FOUND, Found("placed")], []

    def lookup(_call: Any) -> Any:
        OPEN_WRITES.report("mine", {"orderId": "1"})
        return answers.pop(0)

    assert place_uncertain(driver, lookup, events) == "placed"
    assert waited(events) < FENCE
    assert len(OPEN_WRITES) == 0


def test_a_report_during_the_wait(driver: Any) -> None:
    """A stream in another thread wakes the call."""
    answers, events = [NOT_FOUND, Found("placed")], []

    def report_when_awaited() -> None:
        while not any(handle.wake for handle in tuple(OPEN_WRITES.handles)):
            threading.Event().wait(0.001)
        OPEN_WRITES.report("mine", {"orderId": "1"})

    stream = threading.Thread(target=report_when_awaited)

    def lookup(_call: Any) -> Any:
        if len(answers) == 2:
            stream.start()
        return answers.pop(0)

    assert place_uncertain(driver, lookup, events) == "placed"
    stream.join()
    assert waited(events) < FENCE


def test_a_lookup_that_is_behind_the_stream(driver: Any) -> None:
    """Once a stream has seen the order, "not found" proves nothing, not even past the fence: it is not sent again."""
    events: list[Any] = []

    def lookup(_call: Any) -> Any:
        OPEN_WRITES.report("mine", {"orderId": "1"})
        return NOT_FOUND

    rules = {"early_checks": 1, "wait": 0.01, "fence": 0.05}
    with pytest.raises(ConnectionResetError) as caught:
        place_uncertain(driver, lookup, events, reconcile=rules, deadline=0.5)
    assert failure_of(caught.value).executed == "maybe"
    assert len(OPEN_WRITES) == 0


def test_another_order_wakes_nobody(driver: Any) -> None:
    """The call waits for its fence, and then it is sent again."""
    events: list[Any] = []

    def lookup(_call: Any) -> Any:
        OPEN_WRITES.report("another", {"orderId": "1"})
        return NOT_FOUND

    rules = {"early_checks": 1, "wait": 0.01, "fence": 0.05}
    assert place_uncertain(driver, lookup, events, reconcile=rules) == "sent a second time"


def test_a_call_on_a_test_clock_is_not_registered(driver: Any) -> None:
    """Its waits take no time, and streams report by the machine's clock."""
    clock, registered = FakeClock(), []
    send = driver.transport([lost(), "sent a second time"])

    def lookup(_call: Any) -> Any:
        registered.append(len(OPEN_WRITES))
        return NOT_FOUND

    async def place_async(*, client_id: str) -> Any:
        return await send()

    def place(*, client_id: str) -> Any:
        return send()

    function = place if driver.kind == "sync" else place_async
    pipeline = Pipeline(policy(), clock=clock)
    decorated = pipeline.compile(function, write(driver, lookup))
    assert driver.call(decorated, client_id="mine") == "sent a second time"
    assert set(registered) == {0}
    assert sum(clock.sleeps) >= FENCE


@pytest.mark.parametrize("number", range(1, 10))
def test_a_report_by_the_waiting_thread_itself(number: int) -> None:
    """A signal handler may report the order at any line of the wait that it interrupts: the call goes on."""
    answers, results, seen = [NOT_FOUND, Found("placed")], [], [0]

    def trace(frame: Any, event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.endswith(("report_waits.py", "threading.py")):
            return None
        if event == "line" and any(handle.wake for handle in tuple(OPEN_WRITES.handles)):
            seen[0] += 1
            if seen[0] == number:
                OPEN_WRITES.report("mine", {"orderId": "1"})
        return trace

    def place() -> None:
        sys.settrace(trace)
        rules = {"early_checks": 1, "wait": 0.01, "fence": 0.1}
        results.append(place_uncertain(Driver("sync"), lambda _call: answers.pop(0), [], reconcile=rules))

    thread = threading.Thread(target=place, daemon=True)
    thread.start()
    thread.join(FENCE)
    assert results == ["placed"]
