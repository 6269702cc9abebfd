"""After a long stop the lookup has forgotten the order: "not found" is taken for proof, and it is sent again."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND, Found, Policies, failure_of
from resilience.testing import FakeClock
from tests.conftest import Driver


class Forgetful:
    """An exchange whose lookups know an order for a minute."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.executed: list[float] = []

    def place(self, client_id: str | None = None) -> str:
        """Execute the order and lose the answer."""
        self.executed.append(self.clock.monotonic())
        raise TimeoutError

    def look_up(self, _call: Any) -> Any:
        """Fail for a minute; then nothing is known any more."""
        if self.clock.monotonic() < 60:
            raise ConnectionResetError
        known = [when for when in self.executed if self.clock.monotonic() - when < 60]
        return Found("found") if known else NOT_FOUND


def test_naive() -> None:
    """The lookup says "not found" about an order that was executed."""
    exchange = Forgetful(clock := FakeClock())
    with pytest.raises(TimeoutError):
        exchange.place("a")
    clock.advance(100)
    assert exchange.look_up(None) is NOT_FOUND


def test_ours(driver: Driver) -> None:
    """Past the retention "not found" is no proof: nothing is sent again, and the outcome is unknown."""
    clock = FakeClock()
    exchange = Forgetful(clock)
    rules = {
        "extends": "default",
        "deadline": "200s",
        "breaker": None,
        "reconcile": {"retention": "60s", "fence": "30s"},
    }
    policies = Policies.from_mapping({"version": 1, "policies": {"mine": rules}}, clock=clock)
    place = policies.resilient("mine", key="client_id", reconcile=exchange.look_up)(driver.function(exchange.place))
    with pytest.raises(TimeoutError) as caught:
        driver.call(place)
    assert (failure_of(caught.value).executed, len(exchange.executed)) == ("maybe", 1)
