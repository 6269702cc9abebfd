"""Tests of two calls under way with the same key: the second one is refused before anything is sent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from resilience import NOT_FOUND, Pipeline, Policies, Policy, RejectedError, failure_of
from resilience.integrations.requests import RequestsRejectedError
from resilience.testing import FakeClock

REFUSED = "another call with this key is under way, nothing was sent"


def new_policies(**rules: Any) -> Policies:
    """Return policies with one policy `p`."""
    return Policies.from_mapping({"policies": {"p": {"codes": ["http"], **rules}}}, clock=FakeClock())


class Orders:
    """A client whose orders run another function while they are under way."""

    def __init__(self, during: Callable[[], Any] = lambda: None) -> None:
        self.sent: list[str] = []
        self.during = during

    def create(self, *, client_id: str) -> str:
        """Send an order."""
        self.sent.append(client_id)
        self.during()
        return client_id

    def amend(self, *, client_id: str) -> str:
        """Amend an order."""
        return client_id


def in_a_thread(fn: Callable[[], Any]) -> Any:
    """Return what `fn` returns or raises in a thread of its own."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(fn())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return results[0]


def test_threads() -> None:
    """The second call is refused; another key, and the same key afterwards, are not."""
    policies, seen = new_policies(), list[Any]()
    orders = Orders()
    wrapped = policies.wrap(orders, "p", operations={"*": {"key": "client_id"}})
    events: list[str] = []
    policies.subscribe(lambda event: events.append(event.name))

    def compete() -> None:
        orders.during = lambda: None
        seen.append(in_a_thread(lambda: wrapped.create(client_id="one")))
        seen.append(in_a_thread(lambda: wrapped.create(client_id="two")))
        seen.append(in_a_thread(lambda: wrapped.amend(client_id="one")))

    orders.during = compete
    assert wrapped.create(client_id="one") == "one"
    assert wrapped.create(client_id="one") == "one"
    assert isinstance(seen[0], RejectedError)
    assert str(seen[0]).endswith(REFUSED)
    assert failure_of(seen[0]).executed == "no"
    assert (seen[1:], orders.sent, events) == (["two", "one"], ["one", "two", "one"], ["call_rejected"])


def test_tasks() -> None:
    """So it is for tasks of one loop, and the key is free again after a cancellation."""

    async def run() -> None:
        begun = asyncio.Event()

        async def create(*, client_id: str) -> None:
            begun.set()
            await asyncio.Event().wait()

        call = new_policies().resilient("p", key="client_id")(create)
        for _ in range(2):
            begun.clear()
            task = asyncio.create_task(call(client_id="one"))
            await begun.wait()
            with pytest.raises(RejectedError, match=REFUSED):
                await call(client_id="one")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())


@pytest.mark.parametrize("error", [ConnectionRefusedError, KeyboardInterrupt, RejectedError])
def test_the_key_is_released_whatever_happens(error: type[BaseException]) -> None:
    """A call that ends with an error leaves nothing behind."""
    orders = Orders()
    call = new_policies(retry=None).resilient("p", key="client_id")(orders.create)

    def fail() -> None:
        raise error

    orders.during = fail
    for _ in range(2):
        with pytest.raises(error) as caught:
            call(client_id="one")
        assert REFUSED not in str(caught.value)


def test_a_key_that_the_policy_makes_is_free(driver: Any) -> None:
    """Calls that bring no key get one each; a call with retries is one call, and an idempotent one may be doubled."""
    transport = driver.transport([ConnectionRefusedError(), 1])
    pipeline = Pipeline(Policy(retry={"max_attempts": 2}), key="client_id", clock=FakeClock())  # type: ignore[arg-type]
    assert driver.call(pipeline.compile(transport)) == 1
    policies = new_policies()
    inner: list[Any] = []
    orders = Orders()
    harmless = policies.resilient("p", key="client_id", idempotent=True)(orders.create)
    orders.during = lambda: inner.append(1) or (len(inner) < 2 and in_a_thread(lambda: harmless(client_id="one")))
    assert harmless(client_id="one") == "one"
    assert orders.sent == ["one", "one"]


def test_a_call_inside_a_call_is_part_of_it() -> None:
    """A function that passes its key on to a function of the same name is one call, not two."""
    orders = Orders()
    policies = new_policies()
    inner = policies.resilient("p", key="client_id", operation="order")(orders.create)

    @policies.resilient("p", operation="between")
    def between(client_id: str) -> str:
        return inner(client_id=client_id)

    @policies.resilient("p", key="client_id", operation="order")
    def outer(*, client_id: str) -> str:
        return between(client_id)

    assert outer(client_id="one") == "one"
    assert orders.sent == ["one"]


def test_hedges_are_one_call() -> None:
    """The attempts of a race share the key of their call."""
    started: list[str] = []

    async def create(*, client_id: str) -> int:
        started.append(client_id)
        if len(started) == 1:
            await asyncio.Event().wait()
        return len(started)

    async def run() -> int:
        policies = Policies.from_mapping({"policies": {"p": {"hedge": {"delay": 0.001}}}})
        result: int = await policies.resilient("p", key="client_id", idempotent=True)(create)(client_id="one")
        return result

    assert (asyncio.run(run()), started) == (2, ["one", "one"])


def test_a_session_refuses_with_its_own_error(api: Any) -> None:
    """Where the host is known, the key counts per host, and the refusal is one of the client's own errors."""
    api.on("/orders", {"orderId": "1"})
    policies, seen = new_policies(), list[Any]()
    keys = {"post": {"key": "Idempotency-Key", "reconcile": lambda call: NOT_FOUND}}
    with policies.wrap(requests.Session(), "p", operations=keys) as session:
        headers = {"Idempotency-Key": "one"}

        def compete(*_: Any, **__: Any) -> None:
            seen.append(in_a_thread(lambda: session.post(api.rest + "/orders/more", headers=headers)))

        session.post(api.rest + "/orders", headers=headers, hooks={"response": compete})
    assert [type(error) for error in seen] == [RequestsRejectedError]
    assert isinstance(seen[0], requests.RequestException)
    assert len(api.seen) == 1
