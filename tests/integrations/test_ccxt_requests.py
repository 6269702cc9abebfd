"""The requests that ccxt sends inside one call: those before the order place nothing, and their failure says so."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.raw_server import RawServer, Seen

ORDER = ("BTC/USDT", "limit", "buy", 1, 50_000)
PERPETUAL = "BTC/USDC:USDC"
HYPERLIQUID = {"status": "ok", "response": {"type": "order", "data": {"statuses": [{"resting": {"oid": 7}}]}}}


def once() -> Policies:
    """Return policies without retries, on a clock that does not wait."""
    return Policies.from_mapping({"policies": {"once": {"extends": "ccxt", "retry": None}}}, clock=FakeClock())


@pytest.mark.parametrize("answer", [None, (503, "busy"), (401, "{}"), (200, "<html>")])
@pytest.mark.parametrize("name", ["htx", "bybit", "kucoin"])
def test_an_account_read_that_fails_placed_no_order(bots: Any, name: str, answer: Any) -> None:
    """Whatever the private GET before the order is answered, no order was sent."""
    with RawServer(lambda _seen: answer) as server:
        bot = wrap(bots.at(server.url, name), "once", policies=once())
        with pytest.raises(ccxt.BaseError) as caught:
            bots.call(bot.create_order, *ORDER, {"clientOrderId": "mine-1"})
        assert {seen.method for seen in server.seen} == {"GET"}
    assert failure_of(caught.value).executed == "no"


def test_it_is_repeated_and_the_order_is_sent_once(bots: Any) -> None:
    """A lost account read costs one more, under a policy that retries."""

    def reply(seen: Seen) -> Any:
        if seen.method == "GET":
            return None if len(server.seen) == 1 else (200, {"status": "ok", "data": [{"id": 1, "type": "spot"}]})
        return 200, {"status": "ok", "data": "7"}

    with RawServer(reply) as server:
        bot = wrap(bots.at(server.url, "htx"), "ccxt", policies=Policies.from_mapping({}, clock=FakeClock()))
        assert bots.call(bot.create_order, *ORDER)["id"] == "7"
        assert [seen.method for seen in server.seen] == ["GET", "GET", "POST"]


def test_a_set_up_by_post_is_none_of_the_order(bots: Any) -> None:
    """Hyperliquid's approval of a fee and its referral are POSTs: they may fail, and the order counts by itself."""

    def reply(seen: Seen) -> Any:
        if '"order"' in seen.body:
            return None
        return 503, "busy"

    with RawServer(reply) as server:
        bot = wrap(bots.at(server.url, "hyperliquid", PERPETUAL), "once", policies=once())
        with pytest.raises(ccxt.NetworkError) as caught:
            bots.call(bot.create_order, PERPETUAL, *ORDER[1:])
        assert len(server.seen) > 1
    failure = failure_of(caught.value)
    assert (failure.executed, "writing requests" in failure.remedy) == ("maybe", False)


def test_a_set_up_that_failed_leaves_a_refusal_a_refusal(bots: Any) -> None:
    """The order itself was refused: nothing before it makes that uncertain."""

    def reply(seen: Seen) -> Any:
        if '"order"' in seen.body:
            return 200, {"status": "err", "response": "Insufficient margin to place order."}
        return None

    with RawServer(reply) as server:
        bot = wrap(bots.at(server.url, "hyperliquid", PERPETUAL), "once", policies=once())
        with pytest.raises(ccxt.BaseError) as caught:
            bots.call(bot.create_order, PERPETUAL, *ORDER[1:])
        assert '"order"' in server.seen[-1].body
    assert failure_of(caught.value).executed == "no", caught.value


def test_a_read_after_the_order_that_fails(bots: Any) -> None:
    """The order was accepted, and then ccxt could not read on: it may have been executed."""

    def reply(seen: Seen) -> Any:
        return (200, {"orderId": 7, "symbol": "BTCUSDT"}) if seen.method == "POST" else (404, "{}")

    with RawServer(reply) as server:
        plain = bots.at(server.url, "binanceus")
        create = plain.create_order

        def create_order(self: Any, *args: Any) -> Any:
            create_of_class(self, *args)
            return self.fetch_order("7", ORDER[0])

        async def create_order_async(self: Any, *args: Any) -> Any:
            await create_of_class(self, *args)
            return await self.fetch_order("7", ORDER[0])

        create_of_class, kind = create.__func__, type(plain)
        method = create_order_async if bots.asynchronous else create_order
        plain.__class__ = type(kind.__name__, (kind,), {"create_order": _named(method, create.__name__)})
        bot = wrap(plain, "once", policies=once())
        with pytest.raises(ccxt.BaseError) as caught:
            bots.call(bot.create_order, *ORDER)
        assert [seen.method for seen in server.seen] == ["POST", "GET"]
    assert failure_of(caught.value).executed == "maybe"


def _named(method: Any, name: str) -> Any:
    method.__name__ = name
    return method


def test_the_class_that_a_status_made_is_marked(bots: Any) -> None:
    """The class for a bare 401 says no more than the status; the class for a code does."""
    with RawServer(lambda _seen: (401, "denied")) as server:
        with pytest.raises(ccxt.AuthenticationError) as caught:
            bots.call(wrap(bots.at(server.url, "kraken"), "once", policies=once()).create_order, *ORDER)
        assert caught.value.resilience_from_status is True  # type: ignore[attr-defined]  # ours
    body = (400, {"code": -2010, "msg": "Account has insufficient balance for requested action."})
    with RawServer(lambda _seen: body) as server:
        with pytest.raises(ccxt.InsufficientFunds) as funds:
            bots.call(wrap(bots.at(server.url, "binance"), "once", policies=once()).create_order, *ORDER)
        assert not hasattr(funds.value, "resilience_from_status")
