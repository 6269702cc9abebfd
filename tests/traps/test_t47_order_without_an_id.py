"""An empty or unreadable answer under a success status becomes an order whose id is None, on every exchange."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import Found, Policies, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.raw_server import RawServer, Seen

pytestmark = pytest.mark.slow

ORDER = ("BTC/USDT", "limit", "buy", 1, 50_000)
FULL = pytest.mark.full
EXCHANGES = [
    "binance", "kucoin", *(pytest.param(name, marks=FULL) for name in ("gate", "kraken", "coinbaseexchange")),
]  # fmt: skip
OPTIONS = {"options": {"unifiedAccount": False, "hf": True, "uta": False}}
EMPTY = [(200, ""), (200, "{}"), (201, ""), (204, ""), (200, "<html>ok</html>"), (200, '{"id":'), (302, "")]


def fresh() -> Policies:
    """Return the built-in policies with a budget of their own, on a clock that does not wait."""
    return Policies.from_mapping({"version": 1, "policies": {}}, clock=FakeClock())


@pytest.mark.parametrize("name", ["binance", "gate"])
def test_naive(bots: Any, name: str) -> None:
    """The caller gets an order, and nothing says that it may not exist."""
    with RawServer(lambda _seen: (200, "")) as server:
        order = bots.call(bots.at(server.url, name, **OPTIONS).create_order, *ORDER)
    assert order["id"] is None


@pytest.mark.parametrize("answer", EMPTY, ids=lambda answer: f"{answer[0]}-{answer[1][:6]}")
@pytest.mark.parametrize("name", EXCHANGES)
def test_ours(bots: Any, name: str, answer: tuple[int, str]) -> None:
    """The order may have been placed, with and without a key; it is not sent again."""
    with RawServer(lambda _seen: answer) as server:
        bot = wrap(bots.at(server.url, name, **OPTIONS), "ccxt", policies=fresh())
        for params in ({}, {"clientOrderId": "mine-1"}):
            with pytest.raises(ccxt.BaseError) as caught:
                bots.call(bot.create_order, *ORDER, params)
            assert failure_of(caught.value).executed == "maybe", caught.value
        assert len(server.sent("POST")) == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # aiohttp leaves the socket to the loop
@pytest.mark.parametrize("cut", ["length", "gzip"])
def test_an_answer_that_is_cut(bots: Any, cut: str) -> None:
    """A wrong Content-Length, and a body that claims to be gzip: neither is a success, nor a refusal."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    raw = (
        head
        + (b"Content-Length: 500\r\n\r\n" if cut == "length" else b"Content-Encoding: gzip\r\n\r\n")
        + b'{"orderId":7}'
    )

    def reply(_seen: Seen) -> Any:
        return raw, None  # and no more: the connection is closed

    with RawServer(reply) as server:
        bot = wrap(bots.at(server.url, "binance"), "ccxt", policies=fresh())
        with pytest.raises(ccxt.BaseError) as caught:
            bots.call(bot.create_order, *ORDER)
        assert len(server.sent("POST")) == 1
    assert failure_of(caught.value).executed == "maybe"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_an_order_is_not_followed(bots: Any, status: int) -> None:
    """A 307 would send the order to another server, a 302 would turn it into a GET that succeeds."""

    def reply(seen: Seen) -> Any:
        moved = seen.path.startswith("/moved")
        return (200, {"orderId": 7}) if moved else (status, "", {"Location": f"{server.url}/moved"})

    with RawServer(reply) as server:
        bot = wrap(bots.at(server.url, "binance"), "ccxt", policies=fresh())
        with pytest.raises(ccxt.BadResponse) as caught:
            bots.call(bot.create_order, *ORDER)
        assert len(server.sent("POST")) == 1
        assert failure_of(caught.value).executed == "maybe"
        assert bots.call(bot.fetch_ticker, "BTC/USDT")["symbol"] == "BTC/USDT"  # a read follows it
        assert len(server.sent("POST")) == 1


def test_a_batch_with_an_order_without_an_id(bots: Any) -> None:
    """One of two orders has no id: whether it was placed is unknown."""
    answer = [{"orderId": 7, "symbol": "BTCUSDT"}, {"code": -1000, "msg": "unknown"}]
    symbol = "BTC/USDT:USDT"
    order = {"symbol": symbol, "type": "limit", "side": "buy", "amount": 1, "price": 50_000}
    with RawServer(lambda _seen: (200, answer)) as server:
        bot = wrap(bots.at(server.url, "binanceus", symbol), "ccxt", policies=fresh())
        with pytest.raises(ccxt.BadResponse) as caught:
            bots.call(bot.create_orders, [order, order])
        assert len(server.sent("POST")) == 1
    assert failure_of(caught.value).executed == "maybe"
    assert [item["id"] for item in caught.value.body] == ["7", None]  # type: ignore[attr-defined]  # ours


def test_a_lookup_finds_it(bots: Any) -> None:
    """With a key on the request and a reconciler, the empty answer costs one lookup."""

    def look_up(call: Any) -> Any:
        return Found({"id": "7", "clientOrderId": call.key})

    async def look_up_async(call: Any) -> Any:
        return look_up(call)

    rule = {"key": "clientOrderId", "reconcile": look_up_async if bots.asynchronous else look_up}
    with RawServer(lambda _seen: (200, "")) as server:
        bot = wrap(bots.at(server.url, "binance"), "ccxt", operations={"create_order": rule}, policies=fresh())
        assert bots.call(bot.create_order, *ORDER)["id"] == "7"
        assert len(server.sent("POST")) == 1


def test_an_order_that_is_only_checked(bots: Any) -> None:
    """Binance's answer to a test order is empty, and that is a success."""
    with RawServer(lambda _seen: (200, {})) as server:
        bot = wrap(bots.at(server.url, "binance"), "ccxt", policies=fresh())
        assert bots.call(bot.create_order, *ORDER, {"test": True})["id"] is None


def test_other_writes_need_no_id(bots: Any) -> None:
    """A cancel whose answer is empty is a success as before."""
    with RawServer(lambda _seen: (200, {})) as server:
        bot = wrap(bots.at(server.url, "binanceus"), "ccxt", policies=fresh())
        assert bots.call(bot.cancel_order, "7", "BTC/USDT")["symbol"] == "BTC/USDT"
