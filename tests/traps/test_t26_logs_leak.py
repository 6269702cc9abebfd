"""A default log line with the arguments contains the signature and the secret."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from resilience import Policies, resilient
from resilience.testing import FakeClock

CANARIES = ("sig-CANARY", "secret-CANARY", "token-CANARY")


def test_naive() -> None:
    """A line of function and arguments, as retry libraries write it, contains the secret."""
    arguments = {"url": f"https://api/x?signature={CANARIES[0]}", "secret": CANARIES[1]}
    assert any(canary in f"retrying send({arguments!r})" for canary in CANARIES)


def test_ours(driver: Any) -> None:
    """No log line and no note contains arguments, URLs or the error's text."""

    class Leaky(Exception):
        """An error whose text contains what was sent."""

        status_code = 503

    error = Leaky(f"GET https://api/x?signature={CANARIES[0]} failed, token={CANARIES[2]}")
    transport = driver.transport([error, error, error])
    policies = Policies.from_mapping({"policies": {"p": {"retry": {"max_attempts": 3}}}}, clock=FakeClock())
    send = resilient("p", idempotent=True, policies=policies)(transport)
    with structlog.testing.capture_logs() as lines, pytest.raises(Leaky) as caught:
        driver.call(send, f"https://api/x?signature={CANARIES[0]}", secret=CANARIES[1])
    assert [line["event"] for line in lines][-1] == "resilience.call_failed"
    output = repr(lines) + repr(caught.value.__notes__)
    assert not any(canary in output for canary in CANARIES)
