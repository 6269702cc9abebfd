"""A key of 32 hexadecimal digits that nobody asked for: Gate takes 28 characters, Hyperliquid wants 0x before it."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.raw_server import RawServer

ORDER = ("BTC/USDT", "limit", "buy", 1, 50_000)
MADE = "0123456789abcdef0123456789abcdef"
PLACED = {"id": "7", "status": "open", "currency_pair": "BTC_USDT"}
HYPERLIQUID = {"status": "ok", "response": {"type": "order", "data": {"statuses": [{"resting": {"oid": 7}}]}}}
PREPARED = {
    "options": {"unifiedAccount": False, "approvedBuilderFee": True, "refSet": True, "enableUnifiedMargin": False}
}


def fresh() -> Policies:
    """Return the built-in policies with a budget of their own, on a clock that does not wait."""
    return Policies.from_mapping({"version": 1, "policies": {}}, clock=FakeClock())


def test_naive(bots: Any) -> None:
    """Ccxt refuses a key of that length for Gate, so no order leaves at all."""
    with RawServer(lambda _seen: (200, PLACED)) as server:
        with pytest.raises(ccxt.BadRequest):
            bots.call(bots.at(server.url, "gate", **PREPARED).create_order, *ORDER, {"clientOrderId": MADE})
        assert server.seen == []


def test_ours(bots: Any) -> None:
    """An order that works without the library works with it: Gate's has no key of ours."""
    with RawServer(lambda _seen: (200, PLACED)) as server:
        bot = wrap(bots.at(server.url, "gate", **PREPARED), "ccxt", policies=fresh())
        assert bots.call(bot.create_order, *ORDER)["id"] == "7"
        assert bots.call(bot.create_order, *ORDER, {"clientOrderId": "mine-1"})["id"] == "7"
        assert ['"t-mine-1"' in seen.body.replace(" ", "") for seen in server.seen] == [False, True]


def test_hyperliquid_gets_no_key_of_another_shape(bots: Any) -> None:
    """Its order has no client id, unless the caller gives one."""
    symbol = "BTC/USDC:USDC"
    with RawServer(lambda _seen: (200, HYPERLIQUID)) as server:
        bot = wrap(bots.at(server.url, "hyperliquid", symbol, **PREPARED), "ccxt", policies=fresh())
        assert bots.call(bot.create_order, symbol, *ORDER[1:])["id"] == "7"
        own = "0x" + MADE
        assert bots.call(bot.create_order, symbol, *ORDER[1:], {"clientOrderId": own})["id"] == "7"
        assert [own in seen.body for seen in server.seen] == [False, True]


@pytest.mark.parametrize("name", ["gate", "kucoin", "hyperliquid", "kraken"])
def test_no_exchange_without_a_file_gets_a_key_unasked(bots: Any, name: str) -> None:
    """What shape they accept is not established, so an order in doubt stays in doubt."""
    with RawServer(lambda _seen: None) as server:
        plain = wrap(bots.at(server.url, name), "ccxt")
        assert plain.resilience_operation_info("create_order", None).needs_consent


@pytest.mark.parametrize(
    ("name", "policy"), [("binance", "ccxt"), ("bybit", "ccxt"), ("okx", "ccxt"), ("bitget", "bitget")]
)
def test_an_exchange_with_a_file_gets_a_key(bots: Any, name: str, policy: str) -> None:
    """Its file says which shape the exchange accepts."""
    with RawServer(lambda _seen: None) as server:
        plain = wrap(bots.at(server.url, name), policy)
        assert not plain.resilience_operation_info("create_order", None).needs_consent


def test_a_rule_is_consent(bots: Any) -> None:
    """`key` in `operations` asks for a key: 32 hexadecimal digits in the parameter that it names."""
    with RawServer(lambda _seen: None) as server:
        rules = {"create_order": {"key": "clientOrderId"}}
        bot = wrap(bots.at(server.url, "binance"), "ccxt", operations=rules, policies=fresh())
        with pytest.raises(ccxt.NetworkError) as caught:
            bots.call(bot.create_order, *ORDER)
        key = failure_of(caught.value).key
        assert key is not None
        assert len(key) == 32
        assert f"newClientOrderId={key}" in server.seen[0].body
