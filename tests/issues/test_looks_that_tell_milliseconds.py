"""A reconciler that returns milliseconds or a string must not end the fence early."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND, Found, Pipeline, Policy, current_call, failure_of
from resilience.testing import FakeClock

NOW = 1_790_000_000.0
ODD = [
    NOT_FOUND(server_time=NOW * 1000),
    NOT_FOUND(server_time=float("inf")),
    NOT_FOUND(server_time=float("nan")),
    NOT_FOUND(server_time=str(NOW)),  # type: ignore[arg-type]  # a user's slip
    Found("order", created_at=NOW * 1000),
    Found("order", created_at=str(NOW)),  # type: ignore[arg-type]  # a user's slip
]


@pytest.mark.parametrize("answer", ODD, ids=repr)
def test_the_order_stays_uncertain_and_the_mistake_is_named(driver: Any, answer: Any) -> None:
    """The order is sent once; the caller gets the API's error, whose cause names the mistake."""
    sent: list[float] = []

    def place() -> None:
        call = current_call()
        assert call is not None
        call.stamp(NOW)
        sent.append(NOW)
        raise TimeoutError

    def lookup(_call: Any) -> Any:
        return answer

    policy = Policy(deadline=90.0, retry={"max_attempts": 3})
    pipeline = Pipeline(policy, reconcile=lookup, clock=FakeClock())
    with pytest.raises(TimeoutError) as caught:
        driver.call(pipeline.compile(driver.function(place)))
    assert failure_of(caught.value).executed == "maybe"
    assert isinstance(caught.value.__cause__, TypeError)
    assert "Unix seconds" in str(caught.value.__cause__)
    assert len(sent) == 1
