"""An attempt of a signing client that reported no stamp was not sent."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND, Pipeline, Policy, failure_of
from resilience._core.call.operation_info import OperationInfo
from resilience.testing import FakeClock


def test_an_attempt_without_a_stamp_was_not_sent(driver: Any) -> None:
    """The call fails at once with `executed == "no"`, and the order is not looked up for 65 seconds."""
    lookups: list[Any] = []

    def lookup(call: Any) -> Any:
        lookups.append(call)
        return NOT_FOUND

    def place(*, client_id: str) -> None:
        raise TypeError(f"{client_id} cannot be sent")

    pipeline = Pipeline(Policy(deadline=200, retry={"max_attempts": 3}, reconcile={}), clock=FakeClock())
    info = OperationInfo(operation="place", key="client_id", reconcile=lookup, signs=True)
    with pytest.raises(TypeError) as caught:
        driver.call(pipeline.compile(driver.function(place), info))
    assert (failure_of(caught.value).executed, lookups) == ("no", [])
