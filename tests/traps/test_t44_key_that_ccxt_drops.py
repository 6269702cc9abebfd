"""A key that the exchange's class drops is on no request: looked up by it, the order is not found, and sent again."""

from __future__ import annotations

import warnings
from typing import Any

import ccxt
import pytest

from resilience import NOT_FOUND, Policies, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.raw_server import RawServer

ORDER = ("BTC/USDT", "limit", "buy", 1, 50_000)
NAMES = {"coinbase": "client_order_id", "cryptocom": "client_oid", "coinone": "user_order_id", "deribit": "label"}
"""Exchanges whose classes in ccxt drop `params.clientOrderId`, or pass it on by that name; and their own names."""
CARRIED = {"binance": "newClientOrderId", "okx": "clOrdId", "kucoin": "clientOid", "bybit": "orderLinkId"}
"""Others, and where the key travels."""


def fresh() -> Policies:
    """Return the built-in policies with a budget of their own, on a clock that does not wait."""
    return Policies.from_mapping({"version": 1, "policies": {}}, clock=FakeClock())


def lookup(bots: Any, seen: list[Any]) -> Any:
    """Return a lookup that finds nothing."""

    def look_up(call: Any) -> Any:
        seen.append(call.key)
        return NOT_FOUND

    async def look_up_async(call: Any) -> Any:
        return look_up(call)

    return look_up_async if bots.asynchronous else look_up


def credentials(name: str) -> dict[str, str]:
    """Return keys of the shape that the exchange signs with."""
    return {"apiKey": "plain"} if name == "coinbase" else {}


@pytest.mark.parametrize("name", NAMES)
def test_naive(bots: Any, name: str) -> None:
    """The caller gives a key, and no request has it where the exchange would read it."""
    with RawServer(lambda _seen: None) as server:
        plain = bots.at(server.url, name, **credentials(name))
        with pytest.raises(ccxt.NetworkError):
            bots.call(plain.create_order, *ORDER, {"clientOrderId": "mine-1"})
        assert NAMES[name] + '":"mine-1' not in "".join(seen.text for seen in server.seen)


@pytest.mark.parametrize("name", NAMES)
def test_ours(bots: Any, name: str) -> None:
    """That attempt is the last, nothing is looked up, no key is reported, and a warning says what would carry it."""
    looked_up: list[Any] = []
    rules = {"create_order": {"key": "clientOrderId", "reconcile": lookup(bots, looked_up)}}
    with RawServer(lambda _seen: None) as server:
        bot = wrap(bots.at(server.url, name, **credentials(name)), "ccxt", operations=rules, policies=fresh())
        with (
            pytest.warns(UserWarning, match=rf"{name} create_order was sent without .* carry it: params\."),
            pytest.raises(ccxt.NetworkError) as caught,
        ):
            bots.call(bot.create_order, *ORDER, {"clientOrderId": "mine-1"})
        assert len(server.seen) == 1
    failure = failure_of(caught.value)
    assert (failure.executed, failure.key, failure.attempts, looked_up) == ("maybe", None, 1, [])
    assert "mine-1" not in failure.remedy


def test_a_warning_that_is_an_error_loses_no_answer(bots: Any) -> None:
    """The order was placed: the filter that turns warnings into errors must not hide that."""
    answer = {"success": True, "success_response": {"order_id": "7"}}
    with RawServer(lambda _seen: (200, answer)) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        bot = wrap(bots.at(server.url, "coinbase", apiKey="plain"), "ccxt", policies=fresh())
        assert bots.call(bot.create_order, *ORDER, {"clientOrderId": "mine-1"})["id"] == "7"


@pytest.mark.parametrize("name", NAMES)
def test_the_parameter_that_carries_it(bots: Any, name: str) -> None:
    """Named in the rule, the key is on the request, is reported, and is looked up."""
    looked_up: list[Any] = []
    rules = {"create_order": {"key": NAMES[name], "reconcile": lookup(bots, looked_up)}}
    with RawServer(lambda _seen: None) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        bot = wrap(bots.at(server.url, name, **credentials(name)), "ccxt", operations=rules, policies=fresh())
        with pytest.raises(ccxt.NetworkError) as caught:
            bots.call(bot.create_order, *ORDER)
    key = failure_of(caught.value).key
    assert key is not None
    assert set(looked_up) == {key}


def test_one_warning_per_operation(bots: Any) -> None:
    """The second order without its key warns no more."""
    with RawServer(lambda _seen: None) as server, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bot = wrap(bots.at(server.url, "coinbase", apiKey="plain"), "ccxt", policies=fresh())
        for key in ("mine-1", "mine-2"):
            with pytest.raises(ccxt.NetworkError):
                bots.call(bot.create_order, *ORDER, {"clientOrderId": key})
    assert len([one for one in caught if "was sent without" in str(one.message)]) == 1


@pytest.mark.parametrize("name", CARRIED)
def test_a_key_on_the_wire_is_kept(bots: Any, name: str) -> None:
    """Where the class sends it, it is reported."""
    with RawServer(lambda _seen: None) as server:
        options = {"enableUnifiedAccount": True, "enableUnifiedMargin": False, "uta": False, "hf": True}
        plain = bots.at(server.url, name, options=options)
        with pytest.raises(ccxt.NetworkError) as caught:
            bots.call(wrap(plain, "ccxt", policies=fresh()).create_order, *ORDER, {"clientOrderId": "mine1"})
        assert CARRIED[name] in server.sent("POST")[0].text
    assert (failure_of(caught.value).key, failure_of(caught.value).executed) == ("mine1", "maybe")
