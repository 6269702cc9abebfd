"""The name of an error's class says little: ccxt raises an AuthenticationError for a timeout of Bitget."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap
from resilience.testing import FakeClock

PLACE = "/api/v2/spot/trade/place-order"
ROWS = pytest.mark.parametrize(
    ("response", "error_class", "executed", "category"),
    [
        ((400, "40010"), ccxt.AuthenticationError, "maybe", "retryable"),
        ((400, "40725"), ccxt.ExchangeError, "maybe", "retryable"),
        ((400, "45001"), ccxt.ExchangeError, "maybe", "retryable"),
        ((400, "40015"), ccxt.ExchangeError, "maybe", "retryable"),
        ((429, "429"), ccxt.DDoSProtection, "no", "retryable"),
        ((400, "43012"), ccxt.InsufficientFunds, "no", "user_fixable"),
        # A page instead of an answer is looked up; here the lookups get the same page, so nobody knows.
        ((403, None), ccxt.ExchangeNotAvailable, "maybe", "user_fixable"),
        ((404, None), ccxt.ExchangeNotAvailable, "maybe", "fatal"),
    ],
)


def placed(bots: Any, api: Any, response: tuple[int, str | None], wrapped: bool) -> Exception:
    """Place an order once, with this response, and return the error."""
    status, code = response
    api.on(PLACE, (status, "no json" if code is None else {"code": code, "msg": "m", "requestTime": 1, "data": None}))
    rules = {"extends": "bitget", "retry": None, "deadline": "60s", "reconcile": {"wait": "10s"}}
    policies = Policies.from_mapping({"policies": {"once": rules}}, clock=FakeClock())
    plain = bots.plain(api)
    bot = wrap(plain, "once", policies=policies) if wrapped else plain
    with pytest.raises(ccxt.BaseError) as caught:
        bots.call(bot.create_order, "BTC/USDT", "limit", "buy", 0.01, 30_000)
    return caught.value


@ROWS
def test_naive(bots: Any, api: Any, response: Any, error_class: type, executed: str, category: str) -> None:
    """A bot that retries ccxt's NetworkErrors retries a 403, and takes a timeout for a wrong key."""
    error = placed(bots, api, response, wrapped=False)
    assert type(error) is error_class
    by_class = "retryable" if isinstance(error, ccxt.NetworkError) else "final"
    assert (by_class == "retryable") != (category == "retryable") or error_class in (
        ccxt.DDoSProtection,
        ccxt.InsufficientFunds,
    )


@ROWS
def test_ours(bots: Any, api: Any, response: Any, error_class: type, executed: str, category: str) -> None:
    """The exchange's own code decides, or the status if there is no code; the error is still ccxt's."""
    error = placed(bots, api, response, wrapped=True)
    failure = failure_of(error)
    assert (type(error), failure.executed, failure.category) == (error_class, executed, category)
