"""Limits and bans of venues take effect: what they cover is not sent any more, and everything else is."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import Policies, RejectedError, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.raw_server import RawServer, Seen

SPOT = "BTC/USDT"
ORDER = (SPOT, "limit", "buy", 1, 50_000)
FINE: dict[str, Any] = {
    "binance": {"symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "x"},
    "okx": {"code": "0", "data": [{"ordId": "7", "sCode": "0"}]},
    "bybit": {"retCode": 0, "result": {"orderId": "7"}, "time": 1_700_000_000_000},
}
WEIGHT = (429, '{"code":-1003,"msg":"Too much request weight used."}', {"Retry-After": "50"})
ORDERS = (429, '{"code":-1015,"msg":"Too many new orders."}', {"Retry-After": "50"})
BANNED = (418, "{}")
OKX_LIMIT = (429, '{"code":"50011","msg":"Too Many Requests"}')
OKX_ORDERS = (200, '{"code":"50061","msg":"You have reached the maximum order rate limit.","data":[]}')
VISITS = '{"retCode":10006,"retMsg":"Too many visits.","result":{},"retExtInfo":{},"time":1700000000000}'
BYBIT_LIMIT = (200, VISITS, {"X-Bapi-Limit-Reset-Timestamp": "1700000050000"})
BYBIT_BAN = (403, "access too frequent")


@pytest.mark.parametrize(
    ("name", "answer", "seconds", "is_whole"),
    [
        ("binance", WEIGHT, 50.0, True),
        ("binance", ORDERS, 50.0, False),
        ("binance", BANNED, 120.0, True),
        ("okx", OKX_LIMIT, 2.0, False),
        ("okx", OKX_ORDERS, 2.0, False),
        ("bybit", BYBIT_LIMIT, 50.0, False),
        ("bybit", BYBIT_BAN, 600.0, True),
    ],
)
def test_what_a_limit_covers(bots: Any, name: str, answer: Any, seconds: float, *, is_whole: bool) -> None:
    """An order is refused by a limit: no second one is sent, and a cancel only where the limit is that of orders."""

    def reply(seen: Seen) -> Any:
        return answer if len(server.seen) == 1 else (200, FINE[name])

    clock = FakeClock()
    policy = {"extends": "ccxt", "retry": None, "deadline": "1s", "attempt_timeout": "1s", "breaker": None}
    rules = Policies.from_mapping({"version": 1, "policies": {"short": policy}}, clock=clock, log=False)
    operations = {"create_order": {"reconcile": None}}
    with RawServer(reply) as server:
        plain = bots.at(server.url, name)
        plain.options.update({"enableUnifiedMargin": False, "enableUnifiedAccount": True, "unifiedMarginStatus": 6})
        bot = wrap(plain, "short", policies=rules, operations=operations)
        with pytest.raises(ccxt.BaseError) as caught:
            bots.call(bot.create_order, *ORDER)
        assert failure_of(caught.value).retry_after == seconds
        with pytest.raises(RejectedError) as held:
            bots.call(bot.create_order, *ORDER)
        assert (held.value.reason, len(server.seen)) == ("hold", 1)
        if is_whole:
            with pytest.raises(RejectedError):
                bots.call(bot.cancel_order, "7", SPOT)
        else:
            bots.call(bot.cancel_order, "7", SPOT)
        assert len(server.seen) == (1 if is_whole else 2)
