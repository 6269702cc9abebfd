"""An order gets the answer to another one: a `103` before it, or a gateway that mixes up its connections."""

from __future__ import annotations

import json
from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.raw_server import RawServer, Seen

ORDER = ("BTC/USDT", "limit", "buy", 1, 50_000)
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


def fresh() -> Policies:
    """Return the built-in policies with a budget of their own, on a clock that does not wait."""
    return Policies.from_mapping({"version": 1, "policies": {}}, clock=FakeClock())


def placed(key: str) -> dict[str, Any]:
    """Return Binance's answer to an order."""
    return {"orderId": int(key[-1]), "clientOrderId": key, "symbol": "BTCUSDT", "status": "NEW", "side": "BUY"}


def answer_to(seen: Seen) -> bytes:
    """Return the answer to this very order as it is on the wire."""
    key = seen.body.partition("newClientOrderId=")[2].partition("&")[0]
    body = json.dumps(placed(key)).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class Hints:
    """Gives each order a `103`, and its answer so late that the next order on the connection is under way."""

    def __init__(self) -> None:
        self.pending: dict[int, bytes] = {}

    def __call__(self, seen: Seen) -> bytes:
        """Return the answer to the order before it, and a `103`."""
        late, self.pending[seen.port] = self.pending.get(seen.port, b""), answer_to(seen)
        return late + EARLY_HINTS


def test_naive() -> None:
    """The first order gets an empty answer, the second one the answer to the first."""
    with RawServer(Hints()) as server:
        exchange = ccxt.binance({"apiKey": "a", "secret": "b", "enableRateLimit": False})
        exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], f"{server.url}/api/v3")
        market = {"id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "type": "spot", "spot": True}
        market |= {"inverse": None, "linear": None, "limits": {}, "info": {"orderTypes": ["LIMIT"]}}
        exchange.set_markets([{**market, "precision": {"amount": 1e-6, "price": 0.01}}])
        orders = [exchange.create_order(*ORDER, {"clientOrderId": f"mine-{i}"}) for i in (1, 2)]
        exchange.close()
    assert [order["id"] for order in orders] == [None, "1"]


def test_ours(bots: Any) -> None:
    """The 103 is skipped, and each order gets its own answer."""
    with RawServer(lambda seen: EARLY_HINTS + answer_to(seen)) as server:
        bot = wrap(bots.at(server.url, "binance"), "ccxt", policies=fresh())
        orders = [bots.call(bot.create_order, *ORDER, {"clientOrderId": f"mine-{number}"}) for number in (1, 2, 3)]
        assert [order["id"] for order in orders] == ["1", "2", "3"]
        assert len(server.sent("POST")) == 3


def test_an_answer_that_comes_too_late_is_no_other_orders(bots: Any) -> None:
    """Only the 103 arrives in time: the order is unknown, and the next one on a new connection gets its own answer."""
    with RawServer(Hints()) as server:
        exchange = bots.at(server.url, "binance")
        exchange.timeout = 300
        bot = wrap(exchange, "ccxt", policies=fresh())
        for number in (1, 2):
            with pytest.raises(ccxt.RequestTimeout) as caught:
                bots.call(bot.create_order, *ORDER, {"clientOrderId": f"mine-{number}"})
            assert failure_of(caught.value).executed == "maybe"


def test_a_read_after_a_103_gets_its_own_answer(bots: Any) -> None:
    """A read without an answer is repeated on a new connection."""

    def reply(seen: Seen) -> Any:
        body = json.dumps({"symbol": "BTCUSDT", "lastPrice": str(len(server.seen))}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        return (EARLY_HINTS if len(server.seen) == 1 else b"") + head + body

    with RawServer(reply) as server:
        bot = wrap(bots.at(server.url, "binance"), "ccxt", policies=fresh())
        last = bots.call(bot.fetch_ticker, "BTC/USDT")["last"]
        assert last == len(server.seen)


@pytest.mark.parametrize("name", ["create_order", "create_limit_buy_order"])
def test_an_answer_with_another_client_id(bots: Any, name: str) -> None:
    """It proves nothing of this order; the caller gets it as the error's body."""
    args = ORDER if name == "create_order" else (ORDER[0], *ORDER[3:])
    with RawServer(lambda _seen: (200, placed("mine-9"))) as server:
        bot = wrap(bots.at(server.url, "binance"), "ccxt", policies=fresh())
        with pytest.raises(ccxt.BadResponse, match="another order") as caught:
            bots.call(getattr(bot, name), *args, {"clientOrderId": "mine-1"})
        assert len(server.sent("POST")) == 1
    failure = failure_of(caught.value)
    assert (failure.executed, failure.key, failure.attempts) == ("maybe", "mine-1", 1)
    assert caught.value.body["orderId"] == 9  # type: ignore[attr-defined]  # ours


@pytest.mark.parametrize("answered", ["mine-1", "MINE-1", "t-mine-1", "mine1", None, ""])
def test_its_own_client_id_in_the_exchanges_spelling(bots: Any, answered: str | None) -> None:
    """Another case, a prefix, no dashes, or none at all: it is this order's answer."""
    with RawServer(lambda _seen: (200, {**placed("mine-1"), "clientOrderId": answered})) as server:
        bot = wrap(bots.at(server.url, "binanceus"), "ccxt", policies=fresh())
        assert bots.call(bot.create_order, *ORDER, {"clientOrderId": "mine-1"})["id"] == "1"
