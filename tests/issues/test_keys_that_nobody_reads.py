"""Rules for ccxt that would be ignored: a key under a wrong name, and ccxt's camelCase names of methods."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import NOT_FOUND, Policies, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.raw_server import RawServer, Seen

ORDER = ("BTC/USDT", "limit", "buy", 1, 50_000)


def fresh() -> Policies:
    """Return the built-in policies on a clock that does not wait."""
    return Policies.from_mapping({"version": 1, "policies": {}}, clock=FakeClock())


def order(seen: Seen) -> Any:
    """Answer as Binance does: with the client id that it has read."""
    key = seen.body.partition("newClientOrderId=")[2].partition("&")[0]
    return 200, {"orderId": 7, "clientOrderId": key, "symbol": "BTCUSDT", "status": "NEW", "side": "BUY"}


def test_a_key_under_a_wrong_name(bots: Any) -> None:
    """The exchange answers with the id that ccxt made: it is this order, and it is not placed again."""
    rules = {"create_order": {"key": "params.bogus", "reconcile": lambda _call: NOT_FOUND}}
    with RawServer(order) as server:
        bot = wrap(bots.at(server.url, "binanceus"), "ccxt", operations=rules, policies=fresh())
        with pytest.warns(UserWarning, match="without its client order id"):
            placed = bots.call(bot.create_order, *ORDER)
    assert (placed["id"], len(server.seen)) == ("7", 1)


def test_a_key_under_a_wrong_name_of_an_exchange_with_a_file(bots: Any) -> None:
    """The file says which name carries the key, so the order does not leave without it."""
    rules = {"create_order": {"key": "params.bogus", "reconcile": lambda _call: NOT_FOUND}}
    with RawServer(order) as server:
        bot = wrap(bots.at(server.url, "binance"), "ccxt", operations=rules, policies=fresh())
        with pytest.raises(ccxt.BadRequest, match=r"newClientOrderId: .* would be sent, but the key") as caught:
            bots.call(bot.create_order, *ORDER)
    assert (failure_of(caught.value).executed, server.sent("POST")) == ("no", [])


@pytest.mark.parametrize("options", ["ccxt", {"reconcile": lambda _call: NOT_FOUND}, {"idempotent": True}])
@pytest.mark.parametrize(("given", "name"), [("createOrder", "create_order"), ("fetchBalance", "fetch_balance")])
def test_a_camel_case_name(bots: Any, given: str, name: str, options: Any) -> None:
    """No operation has it, so it is refused, with the name that works."""
    with pytest.raises(TypeError, match=f"write '{name}'"):
        wrap(bots.at("http://127.0.0.1:9", "binance"), "ccxt", operations={given: options}, policies=fresh())
