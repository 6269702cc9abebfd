"""An error code under HTTP 200 is invisible to retries by status."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import ApiError, Policies, failure_of
from resilience.testing import FakeClock

BUSY = {"code": "40015", "msg": "System is abnormal, please try again later", "data": None}
FUNDS = {"code": "43012", "msg": "Insufficient balance", "data": None}
FINE = {"code": "00000", "msg": "success", "data": {"orderId": "1"}}


def naive(status: int) -> bool:
    """Return whether a retry by status would try again."""
    return status >= 500


def test_naive() -> None:
    """The body is an error and the status is 200, so nothing is retried."""
    assert naive(200) is False


def test_ours_retries(driver: Any) -> None:
    """A returned error body is classified, retried and counted by the breaker."""
    clock = FakeClock()
    policies = Policies.from_mapping(
        {
            "policies": {"p": {"codes": ["bitget"], "retry": {"max_attempts": 3}}},
            "operations": [{"match": "*", "policy": "p", "idempotent": True}],
        },
        clock=clock,
    )
    transport = driver.transport([BUSY, FINE])
    assert driver.call(policies.resilient()(transport)) == FINE
    assert len(clock.sleeps) == 1


def test_ours_raises(driver: Any) -> None:
    """An error body that is not retryable is raised with its code, message and body."""
    transport = driver.transport([FUNDS])
    with pytest.raises(ApiError) as caught:
        driver.call(Policies.builtin().resilient("bitget")(transport))
    assert (caught.value.code, caught.value.message, caught.value.body) == ("43012", "Insufficient balance", FUNDS)
    assert failure_of(caught.value).category == "user_fixable"


def test_results_may_be_ignored(driver: Any) -> None:
    """A policy may switch the classification of results off; a table without an envelope does not classify them."""
    policies = Policies.from_mapping({"policies": {"p": {"extends": "bitget", "classify_results": False}}})
    for policy in ("p", "default"):
        assert driver.call(policies.resilient(policy)(driver.transport([FUNDS]))) == FUNDS
