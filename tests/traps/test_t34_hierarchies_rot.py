"""Classifying errors by class hierarchy breaks with a release: RateLimitExceeded no longer is a DDoSProtection."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap
from resilience.testing import FakeClock

TICKER = "/api/v2/spot/market/tickers"
GOOD = {"code": "00000", "msg": "success", "requestTime": 1, "data": [{"symbol": "BTCUSDT", "lastPr": "60000"}]}


def backs_off(error: Exception) -> bool:
    """Return whether a bot backs off that was written when every rate limit was a DDoSProtection."""
    return isinstance(error, ccxt.DDoSProtection)


def test_naive() -> None:
    """The bot no longer backs off for one of the two."""
    assert backs_off(ccxt.DDoSProtection("slow down"))
    assert not backs_off(ccxt.RateLimitExceeded("slow down"))


@pytest.mark.parametrize("error_class", [ccxt.DDoSProtection, ccxt.RateLimitExceeded])
def test_ours(error_class: type[Exception]) -> None:
    """Each class has its own row in the table."""
    failure = failure_of(error_class("kraken slow down"))
    assert (failure.category, failure.executed, failure.hint) == ("retryable", "no", "backoff")


def test_ours_backs_off(bots: Any, api: Any) -> None:
    """A rate-limited call waits, whatever the class of ccxt's error."""
    api.on(TICKER, (429, {"code": "429", "msg": "Too Many Requests", "requestTime": 1, "data": None}), GOOD)
    clock = FakeClock()
    bot = wrap(bots.plain(api), "bitget", policies=Policies.builtin(clock=clock))
    assert bots.call(bot.fetch_ticker, "BTC/USDT")["last"] == 60_000
    assert len(clock.sleeps) == 1
