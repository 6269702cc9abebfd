"""Nested layers whose inner error comes through an executor, which drops the context: nine requests for three."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
import trio

from resilience import Pipeline, Policy, failure_of
from resilience.testing import FakeClock

THREE = Policy(retry={"max_attempts": 3, "backoff": {"initial": 0}})  # type: ignore[arg-type]


class Api:
    """Refuses every request, and counts them."""

    def __init__(self, error: Callable[[], Exception] = ConnectionRefusedError) -> None:
        self.sent = 0
        self._error = error

    def send(self) -> None:
        """Fail before anything is sent."""
        self.sent += 1
        raise self._error()


def layer(fn: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Return a function under a policy of three attempts, with a clock of its own that stands still."""
    return Pipeline(THREE, idempotent=True, clock=FakeClock(), **options).compile(fn)


def through(pool: Executor, fn: Callable[..., Any]) -> Callable[[], Any]:
    """Return a function that calls `fn` by an executor, which starts with an empty context."""
    return lambda: pool.submit(fn).result()


def outcome_of(fn: Callable[[], Any]) -> BaseException:
    """Return the error that a call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # which one it is depends on the test
        fn()
    return caught.value


def test_naive() -> None:
    """Two plain loops of three attempts make nine requests, whatever lies between them."""
    api = Api()
    with ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            for _ in range(3):
                with pytest.raises(ConnectionRefusedError):
                    pool.submit(api.send).result()
    assert api.sent == 9


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_threads(depth: int) -> None:
    """Only the innermost layer retries, and every layer reports the attempts that were made."""
    api = Api()
    fn = layer(api.send)
    with ThreadPoolExecutor(depth) as pool:
        for _ in range(depth - 1):
            fn = layer(through(pool, fn))
        error = outcome_of(fn)
    assert (api.sent, failure_of(error).attempts, failure_of(error).executed) == (3, 3, "no")


def test_one_pipeline_around_itself() -> None:
    """The outer and the inner call may be of the same pipeline."""
    api, pipeline = Api(), Pipeline(THREE, idempotent=True, clock=FakeClock())
    with ThreadPoolExecutor(1) as pool:
        outcome_of(lambda: pipeline.call(lambda: pool.submit(pipeline.call, api.send).result()))
    assert api.sent == 3


def test_an_error_made_from_the_inner_one() -> None:
    """A library in between may raise an error of its own, with the inner one as cause, as context or in a group."""

    def caused(error: Exception) -> Exception:
        wrapped = ConnectionError("of a library")
        wrapped.__cause__ = error
        return wrapped

    def while_handled(error: Exception) -> Exception:
        wrapped = ConnectionError("of a library")
        wrapped.__context__ = error
        return wrapped

    for build in (caused, while_handled, lambda error: ExceptionGroup("several", [error, ConnectionRefusedError()])):
        api = Api()
        with ThreadPoolExecutor(1) as pool:
            inner = through(pool, layer(api.send))

            def wrapping(inner: Any = inner, build: Any = build) -> None:
                raise build(outcome_of(inner))

            outcome_of(layer(wrapping))
        assert api.sent == 3


def test_run_in_executor() -> None:
    """`loop.run_in_executor` passes no context."""
    api = Api()
    inner = layer(api.send)

    async def outer() -> None:
        await asyncio.get_running_loop().run_in_executor(None, inner)

    with pytest.raises(ConnectionRefusedError) as caught:
        asyncio.run(layer(outer)())
    assert (api.sent, failure_of(caught.value).attempts) == (3, 3)


def test_trio_to_thread() -> None:
    """So does a thread of trio that is started with an empty context."""
    api = Api()
    inner = layer(api.send)

    async def outer() -> None:
        await trio.to_thread.run_sync(lambda: outcome_in_a_new_thread(inner))

    with pytest.raises(ConnectionRefusedError):
        trio.run(layer(outer))
    assert api.sent == 3


def outcome_in_a_new_thread(fn: Callable[[], Any]) -> None:
    """Raise what `fn` raises in a thread of its own."""
    errors: list[BaseException] = []
    thread = threading.Thread(target=lambda: errors.append(outcome_of(fn)))
    thread.start()
    thread.join()
    raise errors[0]


def refuse_three_times() -> None:
    """Fail in another process, after three attempts."""
    layer(Api().send)()


@pytest.mark.slow
def test_another_process() -> None:
    """An error that was pickled still carries the record, so each worker is asked once."""
    asked: list[int] = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:

        def outer() -> None:
            asked.append(1)
            pool.submit(refuse_three_times).result()

        error = outcome_of(layer(outer))
    assert (len(asked), failure_of(error).attempts) == (1, 3)


def test_a_shared_instance_is_retried_afresh() -> None:
    """An error object that a program raises again and again carries the record of an earlier call."""
    refused = ConnectionRefusedError()
    api, other = Api(lambda: refused), Api(lambda: refused)
    one, two = layer(api.send), layer(other.send)
    for calls in (1, 2, 3):
        outcome_of(one)
        outcome_of(two)
        assert (api.sent, other.sent) == (3 * calls, 3 * calls)


def test_a_cached_error_behind_a_new_one() -> None:
    """An error may have an old one as its context: the call that was handled then is over."""
    old = outcome_of(layer(Api().send))
    api = Api(lambda: _with_context(ConnectionRefusedError(), old))
    outcome_of(layer(api.send))
    assert api.sent == 3


def _with_context(error: Exception, context: BaseException) -> Exception:
    error.__context__ = context
    return error


def test_an_uncertain_error_stays_uncertain() -> None:
    """A record that came by an executor never makes a write certain: it might be that of another call."""

    def fail() -> None:
        raise TimeoutError

    def write() -> None:
        outcome_in_a_new_thread(lambda: Pipeline(Policy(), idempotent=True, clock=FakeClock()).call(fail))

    error = outcome_of(lambda: Pipeline(Policy(), clock=FakeClock()).call(write))
    assert failure_of(error).executed == "maybe"


def test_the_answer_behind_raise_for_status(api: Any) -> None:
    """The error of `raise_for_status` has the answer, whose three attempts are over."""
    import requests

    from resilience import Policies

    api.on("/", (503, "down"))
    policies = Policies.from_mapping(
        {"policies": {"three": {"codes": ["http"], "retry": {"max_attempts": 3, "backoff": {"initial": 0}}}}},
        clock=FakeClock(),
    )
    with policies.wrap(requests.Session(), "three") as session:

        @policies.resilient("three", idempotent=True)
        def balance() -> None:
            session.get(api.rest + "/").raise_for_status()

        error = outcome_of(balance)
    assert len(api.seen) == 3
    assert failure_of(error).attempts == 3
