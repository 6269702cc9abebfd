"""A bug in a reconciler means "ask again": the caller waits for the deadline in silence."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Policies, failure_of
from resilience.testing import FakeClock
from tests.conftest import Driver


def misspelled(call: Any) -> Any:
    """Look up with a name that does not exist."""
    return ordres[call.key]  # type: ignore[name-defined]  # noqa: F821  # the bug


def test_naive() -> None:
    """A loop that takes every error for trouble of the network asks until its time is up."""
    asked = 0
    for _ in range(30):
        try:
            misspelled(None)
        except Exception:
            asked += 1
    assert asked == 30


@pytest.mark.parametrize("broken", [misspelled, lambda call: None, lambda call: True, lambda call: {"id": call.key}])
def test_ours(driver: Driver, broken: Any) -> None:
    """The call ends at once as unknown; one error line names the function, and the failure has what went wrong."""
    clock, events = FakeClock(), list[Any]()
    policies = Policies.from_mapping({"version": 1, "policies": {}}, clock=clock)
    policies.subscribe(events.append)

    def place(client_id: str | None = None) -> None:
        raise TimeoutError

    call = policies.resilient("bitget", key="client_id", reconcile=broken)(driver.function(place))
    with pytest.raises(TimeoutError) as caught:
        driver.call(call)
    failure = failure_of(caught.value)
    assert failure.executed == "maybe"
    assert failure.key
    if broken is misspelled:
        assert isinstance(failure.lookup_error, NameError)
    else:
        assert isinstance(failure.lookup_error, TypeError) or failure.lookup_error == broken(failure)
    lines = [event for event in events if event.name == "lookup_failed"]
    assert [(event.level, event.reconciler) for event in lines] == [("error", broken.__name__)]
    assert sum(clock.sleeps) < 1.0
