"""A gateway answers after it has passed the order on: the bot sends it again, or reports that nothing happened."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND, Found, Policies, failure_of
from resilience.testing import FakeClock
from tests.conftest import Driver

SENT_AGAIN = (418, 421, 425, 429)
REPORTED = (400, 403, 404)
UNKNOWN = (408, 409, 444, 460, 499, 500, 502, 503, 504, 520)


class GatewayError(Exception):
    """A page of the gateway."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status_code = status


class Exchange:
    """Executes every order that is passed on; the gateway answers the first one with a status."""

    def __init__(self, status: int, *, passes_on: bool = True) -> None:
        self.executed: list[str] = []
        self._status, self._passes_on, self._first = status, passes_on, True

    def place(self, client_id: str | None = None) -> str:
        """Place an order."""
        first, self._first = self._first, False
        if self._passes_on or not first:
            self.executed.append(str(client_id))
        if first:
            raise GatewayError(self._status)
        return "placed"

    def look_up(self, call: Any) -> Any:
        """Return the order, or that there is none."""
        return Found("found") if call.key in self.executed else NOT_FOUND


def test_naive() -> None:
    """A retry of 429 buys twice; a bot that believes a 404 buys again later."""
    for status in (*SENT_AGAIN, *REPORTED):
        exchange = Exchange(status)
        with pytest.raises(GatewayError):
            exchange.place("a")
        exchange.place("a")
        assert exchange.executed == ["a", "a"]


@pytest.mark.parametrize("passes_on", [True, False])
@pytest.mark.parametrize("status", [*SENT_AGAIN, *REPORTED, *UNKNOWN])
def test_ours(driver: Driver, status: int, passes_on: bool) -> None:
    """The order is looked up first: executed once and done, or never executed and reported so."""
    exchange = Exchange(status, passes_on=passes_on)
    rules = {"extends": "default", "deadline": "200s", "breaker": None, "budget": None}
    policies = Policies.from_mapping({"version": 1, "policies": {"mine": rules}}, clock=FakeClock())
    place = policies.resilient("mine", key="client_id", reconcile=exchange.look_up)(driver.function(exchange.place))
    if not passes_on and status in (*REPORTED, 409):
        with pytest.raises(GatewayError) as caught:
            driver.call(place)
        assert (failure_of(caught.value).executed, exchange.executed) == ("no", [])
    else:
        assert driver.call(place) == ("found" if passes_on else "placed")
        assert len(exchange.executed) == 1
