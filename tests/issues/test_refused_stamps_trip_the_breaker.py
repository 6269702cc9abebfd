"""Many calls stamped by a wrong clock were rejected at once and opened the breaker for later calls."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Pipeline, Policy
from resilience.testing import FakeClock


class StaleError(Exception):
    """Bitget's rejection of a stamp."""

    def __init__(self) -> None:
        super().__init__("40008")
        self.body = {"code": "40008", "msg": "Request timestamp expired", "requestTime": 1_700_000_000_000}


def test_a_rejected_stamp_is_neutral(driver: Any) -> None:
    """A rejected stamp is the fault of the client's clock, so the breaker does not count it."""
    policy = Policy(codes=("bitget", "http"), breaker={"consecutive": 1})
    pipeline = Pipeline(policy, clock=FakeClock())
    call = pipeline.compile(driver.transport([StaleError()] * 3))
    for _ in range(3):
        with pytest.raises(StaleError):
            driver.call(call)
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "closed"
