"""Many calls that began by a wrong clock were refused at once, and opened the breaker for those after them."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Pipeline, Policy
from resilience.testing import FakeClock


class StaleError(Exception):
    """Bitget refuses a stamp."""

    def __init__(self) -> None:
        super().__init__("40008")
        self.body = {"code": "40008", "msg": "Request timestamp expired", "requestTime": 1_700_000_000_000}


def test_a_refused_stamp_is_neutral(driver: Any) -> None:
    """It is the client's clock that failed, and not the service."""
    policy = Policy(codes=("bitget", "http"), breaker={"consecutive": 1})
    pipeline = Pipeline(policy, clock=FakeClock())
    call = pipeline.compile(driver.transport([StaleError()] * 3))
    for _ in range(3):
        with pytest.raises(StaleError):
            driver.call(call)
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "closed"
