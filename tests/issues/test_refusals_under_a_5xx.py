"""A class of an exchange's client is no proof under a status that proves nothing: the write is not sent again."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap
from resilience.testing import FakeClock


class Exchange:
    """A client whose orders fail with an error of ccxt, made from a body."""

    def __init__(self, error: Exception) -> None:
        self.error, self.sent = error, 0

    def create_order(self) -> Any:
        self.sent += 1
        raise self.error


def failed(kind: type[Exception], status: int | None) -> tuple[int, Any]:
    """Return how often the order was sent, and the failure."""
    error: Any = kind('mexc {"code":429,"msg":"Too many requests"}')
    if status is not None:
        error.http_status = status
    exchange = Exchange(error)
    client = wrap(exchange, "ccxt", policies=Policies.builtin(clock=FakeClock()))
    with pytest.raises(kind) as caught:
        client.create_order()
    return exchange.sent, failure_of(caught.value)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 408, 409, 499])
@pytest.mark.parametrize("kind", [ccxt.RateLimitExceeded, ccxt.DDoSProtection, ccxt.OnMaintenance])
def test_a_class_that_would_be_sent_again(kind: type[Exception], status: int) -> None:
    """A gateway may write any code into its body: under its own status the order is unknown."""
    sent, failure = failed(kind, status)
    assert (sent, failure.executed) == (1, "maybe")


def test_a_class_under_a_status_that_refuses() -> None:
    """An exchange that answers its own 429 under 400 is believed, as before."""
    sent, failure = failed(ccxt.RateLimitExceeded, 400)
    assert (sent > 1, failure.executed, failure.proof) == (True, "no", "likely")


def test_a_class_that_is_fatal() -> None:
    """Some exchanges answer every error with 500: a refusal that is not sent again stays "no", likely."""
    sent, failure = failed(ccxt.InsufficientFunds, 500)
    assert (sent, failure.executed, failure.proof) == (1, "no", "likely")
