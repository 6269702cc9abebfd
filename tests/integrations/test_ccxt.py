"""An exchange of ccxt under a policy: what stays the same, what changes, and what is never logged."""

from __future__ import annotations

import asyncio
import logging
import pickle
from copy import copy
from inspect import iscoroutinefunction
from types import SimpleNamespace
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from resilience import CircuitOpenError, Policies, QuotaExceededError, RejectedError, failure_of, wrap
from resilience.testing import FakeClock

SPOT = "BTC/USDT"
PLACE, SETTINGS = "/api/v2/spot/trade/place-order", "/api/v3/account/settings"
TICKER = "/api/v2/spot/market/tickers"
GOOD = {"code": "00000", "msg": "success", "requestTime": 1, "data": {"orderId": "7", "clientOid": "mine"}}
CLASSIC = (400, {"code": "40084", "msg": "You are in Classic account mode", "requestTime": 1, "data": None})
MARKET = {"id": "BTCUSDT", "symbol": SPOT, "base": "BTC", "quote": "USDT", "type": "spot", "spot": True}
KEYS = {"apiKey": "sandbox-key", "secret": "sandbox-secret-0123456789", "password": "sandbox-pass"}
ROW = {"symbol": "BTCUSDT", "lastPr": "60000"}
PRICE = {"code": "00000", "msg": "success", "requestTime": 1, "data": [ROW]}


def wrapped(bots: Any, api: Any, name: str = "bitget", policy: str = "bitget", **config: Any) -> Any:
    """Return a wrapped exchange that talks to the scripted server, under the built-in policies."""
    return wrap(bots.plain(api, name, **config), policy, policies=Policies.builtin())


def test_it_is_still_the_exchange(bots: Any, api: Any) -> None:
    """Class, names, attributes and methods that send nothing are the same."""
    plain = bots.plain(api)
    bot = wrap(plain, "bitget")
    assert isinstance(bot, type(plain))
    assert (bot.id, str(bot), bot.markets is plain.markets) == ("bitget", str(plain), True)
    assert bot.amount_to_precision(SPOT, 0.123456789) == "0.123456"
    assert bot.parse_order({"orderId": "1"}, bot.market(SPOT))["symbol"] == SPOT
    bot.timeout = 5000
    bot.options["mine"] = 1
    assert (plain.timeout, plain.options["mine"], bot.timeout) == (5000, 1, 5000)
    assert iscoroutinefunction(bot.fetch_ticker) is iscoroutinefunction(plain.fetch_ticker)
    assert "create_order" in dir(bot)
    assert isinstance(copy(bot), type(plain))


def test_only_what_talks_to_the_exchange_is_wrapped(bots: Any, api: Any) -> None:
    """Everything else is the exchange's own method."""
    bot = wrapped(bots, api)
    describe = bot.resilience_operation_info
    infos = {name: describe(name, bot) for name in dir(type(bots.plain(api))) if not name.startswith("_")}
    operations = {name: info for name, info in infos.items() if info is not None}
    for name in ("close", "sign", "market", "milliseconds", "parse_order", "safe_string", "create_order_request"):
        assert name not in operations
    for name in ("fetch_ticker", "fetchTicker", "load_markets", "privateSpotGetV2SpotTradeOrderInfo"):
        assert operations[name].read, name
    for name in (
        "create_order",
        "transfer",
        "set_leverage",
        "privateSpotPostV2SpotTradeBatchOrders",
        "cancel_all_orders",
    ):
        assert (operations[name].read, bool(operations[name].idempotent)) == (False, False), name
    assert operations["cancel_order"].idempotent
    assert operations["createOrder"].operation == "create_order"
    assert operations["create_order"].reconcile is not None


def test_a_get_that_places_orders_is_not_a_read(bots: Any, api: Any) -> None:
    """Deribit buys by GET: the verb alone is no proof."""
    bot = wrapped(bots, api, "deribit", "ccxt")
    assert not bot.resilience_operation_info("privateGetBuy", bot).read
    assert bot.resilience_operation_info("privateGetGetPositions", bot).read
    assert bot.resilience_operation_info("publicGetTicker", bot).read


def test_reads_are_retried(bots: Any, api: Any) -> None:
    """Whatever the error is."""
    api.on(TICKER, "drop", (502, "<html>"), '{"code":"00000","data":[', PRICE)
    assert bots.call(wrapped(bots, api).fetch_ticker, SPOT)["last"] == 60_000
    assert len(api.sent_to(TICKER)) == 4


def test_the_attempts_time_is_ccxts_timeout(bots: Any, api: Any) -> None:
    """A request without a response ends at the attempt's limit, not at ccxt's own."""
    api.on(TICKER, "hang", PRICE)
    rules = {"extends": "bitget", "deadline": "5m", "attempt_timeout": "1s", "retry": {"max_attempts": 20}}
    policies = Policies.from_mapping({"policies": {"quick": rules}})
    codes: set[str | None] = set()
    policies.subscribe(lambda event: codes.add(event.code) if event.name == "attempt_failed" else None)
    bot = wrap(bots.plain(api, timeout=600_000), "quick", policies=policies)
    assert bots.call(bot.fetch_ticker, SPOT)["last"] == 60_000
    assert codes in ({"read_timeout"}, {"timeout"})
    assert bot.timeout == 600_000


def test_a_refused_connection_sent_nothing(bots: Any) -> None:
    """Ccxt raises a NetworkError or ExchangeNotAvailable; its cause says more."""
    unreachable = SimpleNamespace(rest="http://127.0.0.1:9")
    policies = Policies.from_mapping({"policies": {"once": {"extends": "bitget", "retry": None}}})
    bot = wrap(bots.plain(unreachable), "once", policies=policies)
    with pytest.raises(ccxt.NetworkError) as caught:
        bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000)
    failure = failure_of(caught.value)
    assert (failure.code, failure.executed) == ("connection_refused", "no")


@pytest.mark.parametrize("trouble", ["drop", (500, "oops"), (200, "<html>")])
def test_a_nested_read_that_fails_placed_nothing(bots: Any, api: Any, trouble: Any) -> None:
    """The account's settings are read first: an error there leaves the kind of account open, and no order uncertain."""
    api.on(SETTINGS, trouble, CLASSIC)
    api.on(PLACE, GOOD)
    bot = wrapped(bots, api, options={})
    order = bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000, {"clientOrderId": "mine"})
    assert (order["id"], len(api.sent_to(SETTINGS)), len(api.sent_to(PLACE))) == ("7", 2, 1)
    assert bot.options["uta"] is False


def test_nested_reads_that_never_work(bots: Any, api: Any) -> None:
    """The error says that nothing was executed, and the account is not taken for a classic one."""
    api.on(SETTINGS, (500, "oops"))
    policies = Policies.from_mapping({"policies": {"once": {"extends": "bitget", "retry": None}}})
    bot = wrap(bots.plain(api, options={}), "once", policies=policies)
    with pytest.raises(ccxt.ExchangeNotAvailable) as caught:
        bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000)
    assert (failure_of(caught.value).executed, bot.options.get("uta"), api.sent_to(PLACE)) == ("no", None, [])


@pytest.mark.parametrize(
    "answer", ['{"code":"00000","data":{"ord', "<html>", "", {**GOOD, "data": {}}, {**GOOD, "data": None}]
)
def test_an_unusable_success_is_looked_up(bots: Any, api: Any, answer: Any) -> None:
    """Plain ccxt returns an order whose id is None."""
    row = {
        "orderId": "7",
        "clientOid": "mine",
        "symbol": "BTCUSDT",
        "side": "buy",
        "orderType": "limit",
        "status": "live",
    }
    api.on(PLACE, answer if isinstance(answer, dict) else (200, answer))
    api.on("/api/v2/spot/trade/orderInfo", {**GOOD, "data": [{**row, "size": "0.01", "price": "30000"}]})
    bot = wrapped(bots, api)
    order = bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000, {"clientOrderId": "mine"})
    assert (order["id"], order["status"], len(api.sent_to(PLACE))) == ("7", "open", 1)


def test_a_response_without_json_is_classified_by_its_status(bots: Any, api: Any) -> None:
    """Ccxt raises ExchangeNotAvailable for a bare 403, as if a retry could help.

    A gateway may have answered after it had passed the order on, and no lookup was answered.
    """
    api.on(PLACE, (403, "forbidden"))
    bot = wrap(bots.plain(api), "bitget", policies=Policies.from_mapping({}, clock=FakeClock()))
    with pytest.raises(ccxt.ExchangeNotAvailable) as caught:
        bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000)
    failure = failure_of(caught.value)
    assert (failure.category, failure.executed, failure.http_status) == ("user_fixable", "maybe", 403)
    assert len(api.sent_to(PLACE)) == 1


def test_an_unknown_code_proves_nothing(bots: Any, api: Any) -> None:
    """Nor does its status, which is known for sync and async exchanges, though ccxt keeps it for one of them only."""
    api.on(PLACE, (400, {"code": "49999", "msg": "something new", "requestTime": 1, "data": None}))
    bot = wrap(bots.plain(api), "bitget", policies=Policies.from_mapping({}, clock=FakeClock()))
    with pytest.raises(ccxt.ExchangeError) as caught:
        bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000)
    failure = failure_of(caught.value)
    assert (failure.code, failure.http_status, failure.executed) == ("49999", 400, "maybe")


def test_rejections_are_ccxts_errors_too(bots: Any, api: Any) -> None:
    """Code that catches ccxt's NetworkError catches them; they can be pickled."""
    api.on(TICKER, "drop")
    brittle = {"extends": "bitget", "retry": None, "breaker": {"consecutive": 1, "when_open": "reject"}}
    bot = wrap(bots.plain(api), "brittle", policies=Policies.from_mapping({"policies": {"brittle": brittle}}))
    for _ in range(2):
        with pytest.raises(ccxt.NetworkError) as caught:
            bots.call(bot.fetch_ticker, SPOT)
    assert isinstance(caught.value, CircuitOpenError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, RejectedError)
    assert isinstance(again, ccxt.BaseError)
    assert len(api.seen) == 1


def test_nothing_secret_is_logged(
    bots: Any, api: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """At DEBUG ccxt logs its headers, and prints them when verbose: key, passphrase and signature are redacted."""
    canaries = {"apiKey": "canary-key-1f", "secret": "canary-secret-2e", "password": "canary-phrase-3d"}
    api.on(PLACE, (400, {"code": "43012", "msg": "Insufficient balance", "requestTime": 1, "data": None}))
    bot = wrapped(bots, api, verbose=True, **canaries)
    with caplog.at_level(logging.DEBUG), pytest.raises(ccxt.InsufficientFunds) as caught:
        bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000)
    printed = capsys.readouterr()
    output = "\n".join([caplog.text, printed.out, printed.err, str(caught.value), *caught.value.__notes__])
    assert "place-order" in output
    assert "ACCESS-KEY" in output
    sign = bot.last_request_headers["ACCESS-SIGN"]
    assert [secret for secret in (*canaries.values(), sign) if secret in output] == []


def test_ccxts_own_session_retries_are_switched_off(api: Any) -> None:
    """A session that retries by itself would send an order twice."""
    import requests
    from urllib3.util.retry import Retry

    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=Retry(5, allowed_methods=None)))
    exchange = ccxt.bitget({"session": session})
    with pytest.warns(UserWarning, match="urllib3 would retry 5 times"):
        wrap(exchange, "bitget")
    exchange.close()


def test_a_call_that_queues_too_long_sent_nothing(api: Any) -> None:
    """An async exchange waits for its own rate limit: an order for which no time is left is not uncertain."""
    api.on(PLACE, GOOD)
    rules = {"extends": "bitget", "retry": None, "attempt_timeout": "1s", "deadline": "1s", "quota": []}
    policies = Policies.from_mapping({"policies": {"once": rules}})

    async def story() -> Exception:
        plain = ccxt.async_support.bitget({**KEYS, "rateLimit": 600_000})
        plain.options["uta"], plain.timeout_on_exit = False, 0
        plain.urls["api"] = dict.fromkeys(plain.urls["api"], api.rest)
        plain.set_markets([{**MARKET, "precision": {"amount": 1e-6, "price": 0.01}}])
        await plain.create_order(SPOT, "limit", "buy", 0.01, 30_000)
        async with wrap(plain, "once", policies=policies) as bot:
            with pytest.raises(ccxt.NetworkError, match="left no time to send") as caught:
                await bot.create_order(SPOT, "limit", "buy", 0.01, 30_000)
        assert isinstance(caught.value, QuotaExceededError)
        return caught.value

    assert failure_of(asyncio.run(story())).executed == "no"
    assert len(api.sent_to(PLACE)) == 1


def test_one_cancelled_call_does_not_cancel_the_others() -> None:
    """Async calls share one loading of the markets; ccxt by itself would cancel it for all of them."""
    loading, may_end = asyncio.Event(), asyncio.Event()

    class Slow(ccxt.async_support.bitget):
        async def fetch_markets(self, params: Any = {}) -> Any:  # noqa: B006  # ccxt's own default
            loading.set()
            await may_end.wait()
            return []

        async def fetch_currencies(self, params: Any = {}) -> Any:  # noqa: B006  # ccxt's own default
            return {}

    async def story() -> Any:
        bot = wrap(Slow(), "bitget", policies=Policies.builtin())
        first, second = (asyncio.ensure_future(bot.load_markets()) for _ in range(2))
        await loading.wait()
        first.cancel()
        await asyncio.wait([first])
        may_end.set()
        return await second

    assert asyncio.run(story()) == {}


def test_an_async_exchange_as_a_context_manager(api: Any) -> None:
    """`async with` returns the wrapped exchange and closes it once."""
    api.on(TICKER, PRICE)

    async def story() -> Any:
        plain = ccxt.async_support.bitget({"options": {"uta": False}})
        plain.urls["api"] = dict.fromkeys(plain.urls["api"], api.rest)
        plain.timeout_on_exit = 0
        plain.set_markets([MARKET])
        async with wrap(plain, "bitget", policies=Policies.builtin()) as bot:
            last = (await bot.fetch_ticker(SPOT))["last"]
        return last, plain.session

    assert asyncio.run(story()) == (60_000, None)
