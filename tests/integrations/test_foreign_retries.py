"""Tests of tenacity and backoff around our calls: once a call has given up, they do not send again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import tenacity

from resilience import ApiError, Pipeline, Policy, RejectedError
from resilience.integrations.foreign_retries import has_given_up, retry_unless_given_up
from resilience.testing import AsyncScriptedTransport, FakeClock, ScriptedTransport

backoff = pytest.importorskip("backoff")  # a peer, which the lowest versions come without
POLICY = Policy(codes=("http",), retry={"max_attempts": 3, "backoff": {"initial": 0}})  # type: ignore[arg-type]


def under_policy(fn: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Return a function under a policy of three attempts."""
    return Pipeline(POLICY, clock=FakeClock(), **options).compile(fn)


def tenacious(retry: Any) -> dict[str, Any]:
    """Return tenacity's settings for three attempts without a wait."""
    return {"retry": retry, "stop": tenacity.stop_after_attempt(3), "wait": tenacity.wait_none(), "reraise": True}


CONDITIONS = [
    retry_unless_given_up,
    tenacity.retry_if_exception_type(OSError) & retry_unless_given_up,
    retry_unless_given_up & tenacity.retry_if_exception_type(OSError),  # type: ignore[operator]
    tenacity.retry_all(tenacity.retry_if_exception_type(OSError), retry_unless_given_up),
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_tenacity(condition: Any) -> None:
    """Three requests instead of nine; an error that is not ours is retried as before."""
    transport = ScriptedTransport([ConnectionRefusedError() for _ in range(9)])
    with pytest.raises(ConnectionRefusedError):
        tenacity.Retrying(**tenacious(condition))(under_policy(transport, idempotent=True))
    assert len(transport.calls) == 3
    bare = ScriptedTransport([ConnectionRefusedError(), 7])
    assert tenacity.Retrying(**tenacious(condition))(bare) == 7


@pytest.mark.parametrize("condition", CONDITIONS)
def test_tenacity_async(condition: Any) -> None:
    """The same functions serve `AsyncRetrying`."""
    transport = AsyncScriptedTransport([ConnectionRefusedError() for _ in range(9)])
    bare = AsyncScriptedTransport([ConnectionRefusedError(), 7])

    async def run() -> None:
        with pytest.raises(ConnectionRefusedError):
            await tenacity.AsyncRetrying(**tenacious(condition))(under_policy(transport, idempotent=True))
        assert await tenacity.AsyncRetrying(**tenacious(condition))(bare) == 7

    asyncio.run(run())
    assert len(transport.calls) == 3


def test_backoff() -> None:
    """`giveup=has_given_up` does the same for backoff."""
    transport = ScriptedTransport([ConnectionRefusedError() for _ in range(9)])
    bare = ScriptedTransport([ConnectionRefusedError(), 7])

    @backoff.on_exception(backoff.constant, OSError, max_tries=3, interval=0, giveup=has_given_up)
    def send(fn: Any) -> Any:
        return fn()

    with pytest.raises(ConnectionRefusedError):
        send(under_policy(transport, idempotent=True))
    assert len(transport.calls) == 3
    assert send(bare) == 7


@pytest.mark.parametrize("error", [TimeoutError(), ApiError("400", "no"), RejectedError("by hand")])
def test_calls_that_ended(error: Exception) -> None:
    """A write of unknown outcome, a fatal error and a rejection have all ended."""
    with pytest.raises(type(error)) as caught:
        under_policy(ScriptedTransport([error]))()
    assert has_given_up(caught.value)
    assert has_given_up(ExceptionGroup("several", [OSError(), caught.value]))


def test_a_success_and_a_ctrl_c() -> None:
    """Neither a result nor a `KeyboardInterrupt` is retried."""
    for script in ([1], [KeyboardInterrupt()]):
        transport = ScriptedTransport(script)
        try:
            tenacity.Retrying(**tenacious(retry_unless_given_up))(transport)
        except KeyboardInterrupt:
            pass
        assert len(transport.calls) == 1


def test_a_cancelled_call() -> None:
    """A harmless call that was cancelled may be made again; a write that may have happened must not be."""

    async def hang() -> None:
        await asyncio.Event().wait()

    async def error_of(**options: Any) -> BaseException:
        with pytest.raises(TimeoutError) as caught:
            await asyncio.wait_for(under_policy(hang, **options)(), 0.001)
        return caught.value

    assert not has_given_up(asyncio.run(error_of(idempotent=True)))
    assert has_given_up(asyncio.run(error_of()))
