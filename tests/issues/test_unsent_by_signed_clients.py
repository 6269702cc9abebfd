"""A client that stamps whatever it sends has sent nothing where there is no stamp."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND, Pipeline, Policy, failure_of
from resilience._core.call.operation_info import OperationInfo
from resilience.testing import FakeClock


def test_an_attempt_without_a_stamp_was_not_sent(driver: Any) -> None:
    """It is told at once as not executed, and nobody asks the exchange for 65 seconds."""
    looks: list[Any] = []

    def look(call: Any) -> Any:
        looks.append(call)
        return NOT_FOUND

    def place(*, client_id: str) -> None:
        raise TypeError(f"{client_id} cannot be sent")

    pipeline = Pipeline(Policy(deadline=200, retry={"max_attempts": 3}, reconcile={}), clock=FakeClock())
    info = OperationInfo(operation="place", key="client_id", reconcile=look, signs=True)
    with pytest.raises(TypeError) as caught:
        driver.call(pipeline.compile(driver.function(place), info))
    assert (failure_of(caught.value).executed, looks) == ("no", [])
