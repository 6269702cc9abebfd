"""Three nested retry layers of three attempts make 27 requests."""

from __future__ import annotations

from typing import Any

import pytest
import tenacity

from resilience import Policies, resilient
from resilience.testing import FakeClock

retry3 = tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_none(), reraise=True)


def test_naive() -> None:
    """Three layers of three attempts send 27 requests."""
    calls = []

    @retry3
    @retry3
    @retry3
    def send() -> None:
        calls.append(1)
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        send()
    assert len(calls) == 27


def test_ours(driver: Any) -> None:
    """Only the innermost layer retries: 3 requests."""
    transport = driver.transport([ConnectionRefusedError()] * 30)
    policies = Policies.from_mapping(
        {"policies": {"three": {"codes": ["http"], "retry": {"max_attempts": 3}}}}, clock=FakeClock()
    )
    layer = resilient("three", idempotent=True, policies=policies)
    fn: Any = layer(transport)
    for _ in range(2):
        fn = layer(_around(driver, fn))
    with pytest.raises(ConnectionRefusedError):
        driver.call(fn)
    assert len(transport.calls) == 3


def test_an_sdk_error_around_ours_is_not_retried_either(driver: Any) -> None:
    """A layer in between that wraps the error does not hide that the inner call has given up."""
    transport = driver.transport([ConnectionRefusedError()] * 30)
    policies = Policies.from_mapping({"policies": {"three": {"retry": {"max_attempts": 3}}}}, clock=FakeClock())
    layer = resilient("three", idempotent=True, policies=policies)
    with pytest.raises(ConnectionError, match="the sdk failed"):
        driver.call(layer(_around(driver, layer(transport), "the sdk failed")))
    assert len(transport.calls) == 3


def _around(driver: Any, fn: Any, wrapped: str = "") -> Any:
    """A function that calls `fn`, as an SDK's layer would."""
    if driver.kind == "sync":

        def layer() -> Any:
            try:
                return fn()
            except ConnectionError as error:
                if wrapped:
                    raise ConnectionError(wrapped) from error
                raise

        return layer

    async def alayer() -> Any:
        try:
            return await fn()
        except ConnectionError as error:
            if wrapped:
                raise ConnectionError(wrapped) from error
            raise

    return alayer
