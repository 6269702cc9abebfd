"""Tests of what `failure_of` says of a call that was cancelled from outside: its key, its stamp and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from resilience import Failure, Policies, failure_of, resilient
from resilience.testing import FakeClock

RULES: dict[str, Any] = {
    "codes": ["http"],
    "retry": {"max_attempts": 3, "backoff": {"initial": "20s", "jitter": "none"}},
    "quota": [{"rate": "1/10s", "burst": 1, "operations": ["limited"]}],
    "reconcile": {"wait": "2s"},
}


def new_policies(**options: Any) -> Policies:
    """Return policies on the real clock, or on the given one."""
    return Policies.from_mapping({"policies": {"p": RULES}}, **options)


async def hang(*, client_id: str) -> None:
    """Never end."""
    await asyncio.Event().wait()


def order(fn: Callable[..., Awaitable[None]] = hang, **options: Any) -> Callable[..., Any]:
    """Return a keyed write under a policy."""
    return resilient("p", key="client_id", operation="order", policies=new_policies(), **options)(fn)


async def cancel(call: Awaitable[Any]) -> BaseException:
    """Cancel a call once it has begun to wait; return its error."""
    task = asyncio.ensure_future(call)
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    return caught.value


async def by_wait_for(call: Awaitable[Any]) -> BaseException:
    """Return the error of a call that `wait_for` gives up on."""
    with pytest.raises(TimeoutError) as caught:
        await asyncio.wait_for(call, 0.01)
    return caught.value


async def by_timeout(call: Awaitable[Any]) -> BaseException:
    """Return the error of a call inside `asyncio.timeout`."""
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.01):
            await call
    return caught.value


@pytest.mark.parametrize("end", [cancel, by_wait_for, by_timeout])
def test_while_sending(end: Any) -> None:
    """The write may have happened: the failure has its key, its first stamp and what to look for."""
    failure = failure_of(asyncio.run(end(order()(client_id="mine"))))
    assert (failure.key, failure.executed, failure.operation, failure.attempts) == ("mine", "maybe", "order", 1)
    assert failure.sent_at is not None
    assert failure.remedy.startswith("It may have happened: look for key mine since ")
    assert failure.category == "fatal"


@pytest.mark.parametrize("end", [cancel, by_wait_for, by_timeout])
def test_in_a_backoff(end: Any) -> None:
    """After an attempt that certainly did nothing, nothing has happened."""

    async def refused(*, client_id: str) -> None:
        raise ConnectionRefusedError

    failure = failure_of(asyncio.run(end(order(refused)(client_id="mine"))))
    assert (failure.key, failure.executed, failure.attempts, failure.proof) == ("mine", "no", 1, "proven")
    assert failure.remedy == "It was cancelled; it may be sent again"


@pytest.mark.parametrize("end", [cancel, by_wait_for, by_timeout])
def test_before_a_lookup(end: Any) -> None:
    """An attempt that ended without an answer is in doubt."""

    async def lost(*, client_id: str) -> None:
        raise TimeoutError

    async def reconcile(call: Any) -> Any:
        raise AssertionError("not reached")

    failure = failure_of(asyncio.run(end(order(lost, reconcile=reconcile)(client_id="mine"))))
    assert (failure.key, failure.executed, failure.attempts) == ("mine", "maybe", 1)


def test_before_the_first_attempt() -> None:
    """A call that waits for its quota has sent nothing."""

    async def send(*, client_id: str) -> None:
        return None

    async def run() -> BaseException:
        limited = resilient("p", key="client_id", operation="limited", policies=new_policies())(send)
        await limited(client_id="first")
        return await cancel(limited(client_id="second"))

    failure = failure_of(asyncio.run(run()))
    assert (failure.key, failure.executed, failure.attempts, failure.sent_at) == ("second", "no", 0, None)


def test_several_calls_in_one_timeout() -> None:
    """The call that was cancelled counts, not the one before it."""

    async def fast(*, client_id: str) -> None:
        return None

    async def both() -> None:
        await order(fast)(client_id="first")
        await order()(client_id="second")

    assert failure_of(asyncio.run(by_timeout(both()))).key == "second"


def test_a_call_inside_another() -> None:
    """The key of the inner write reaches the caller of the outer function, which has none."""

    async def run() -> BaseException:
        inner = order()

        async def strategy() -> None:
            await inner(client_id="mine")

        return await cancel(resilient("p", policies=new_policies())(strategy)())

    failure = failure_of(asyncio.run(run()))
    assert (failure.key, failure.executed) == ("mine", "maybe")
    assert "key mine" in failure.remedy


def test_an_outer_read_retries_its_own_timeout() -> None:
    """A timeout of the function's own around a harmless inner call is no reason to give up."""
    attempts: list[int] = []

    async def read() -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        policies = new_policies(clock=FakeClock())
        inner = policies.resilient("p", idempotent=True)(read)

        async def outer() -> None:
            attempts.append(1)
            async with asyncio.timeout(0.001):
                await inner()

        await policies.resilient("p", idempotent=True)(outer)()

    with pytest.raises(TimeoutError):
        asyncio.run(run())
    assert len(attempts) == 3


def test_a_read_has_no_effect() -> None:
    """A cancelled idempotent call may be sent again."""

    async def read() -> None:
        await asyncio.Event().wait()

    failure = failure_of(asyncio.run(cancel(resilient("p", idempotent=True, policies=new_policies())(read)())))
    assert (failure.key, failure.remedy) == (None, "It was cancelled; it may be sent again")


def test_trio() -> None:
    """`trio.Cancelled` carries the failure as well, for whoever catches it on its way."""
    caught: list[Failure] = []

    async def wait(*, client_id: str) -> None:
        await trio.sleep_forever()

    async def run() -> None:
        with trio.move_on_after(0.01):
            try:
                await order(wait)(client_id="mine")
            except trio.Cancelled as error:
                caught.append(failure_of(error))
                raise

    trio.run(run)
    assert [(failure.key, failure.executed) for failure in caught] == [("mine", "maybe")]


@pytest.mark.parametrize("attempt", [1, 2])
def test_ctrl_c_in_a_sync_call(attempt: int) -> None:
    """Ctrl-C inside an attempt leaves the key on the `KeyboardInterrupt`."""
    script = [ConnectionRefusedError()] * (attempt - 1) + [KeyboardInterrupt()]

    def send(*, client_id: str) -> None:
        raise script.pop(0)

    call = resilient("p", key="client_id", policies=new_policies(clock=FakeClock()))(send)
    with pytest.raises(KeyboardInterrupt) as caught:
        call(client_id="mine")
    failure = failure_of(caught.value)
    assert (failure.key, failure.executed, failure.attempts) == ("mine", "maybe", attempt)


def test_another_error_of_the_clean_up() -> None:
    """An error that is raised while the cancellation is handled is classified by itself."""

    async def run() -> None:
        error = await cancel(order()(client_id="mine"))
        raise ValueError from error

    with pytest.raises(ValueError) as caught:  # noqa: PT011  # it has no text
        asyncio.run(run())
    assert failure_of(caught.value).key is None
