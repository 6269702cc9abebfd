"""Orders of exchanges that are known as data are executed exactly once through ccxt, or reported as unknown."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import ccxt
import pytest

from resilience import CircuitOpenError, Policies, failure_of, wrap
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox

pytestmark = [pytest.mark.newest_versions, pytest.mark.full]

SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"
BOUNDS = {"window": "400ms", "stamp_window": "400ms", "processing": "100ms", "lag": "100ms", "wait": "50ms"}
UNIFIED = {"enableUnifiedMargin": False, "enableUnifiedAccount": True, "unifiedMarginStatus": 6}
ORDER = ("limit", "buy", 1, 2, {"clientOrderId": "mine"})


def policies(**settings: Any) -> Policies:
    """Return policies whose fences take a second."""
    policy = {"extends": "ccxt", "reconcile": BOUNDS, "attempt_timeout": "3s", **settings}
    return Policies.from_mapping({"policies": {"short": policy}})


def ms() -> int:
    """Return the server's time."""
    return int(time.time() * 1000)


class Okx:
    """OKX on a scripted server."""

    name, symbol = "okx", SPOT
    place, fields = "/api/v5/trade/batch-orders", ("clOrdId", "state", "ordId")
    cancel, amend = "/api/v5/trade/cancel-order", "/api/v5/trade/amend-order"

    def __init__(self, api: Any) -> None:
        self.api = api
        self.orders: list[dict[str, Any]] = []
        api.on("/api/v5/public/time", lambda _sent: {"code": "0", "data": [{"ts": str(ms())}]})
        api.on("/api/v5/trade/order", self.query)
        api.on("/api/v5/trade/orders-pending", lambda _sent: {"code": "0", "data": []})
        api.on("/api/v5/trade/orders-history", lambda _sent: {"code": "0", "data": []})

    def accept(self, sent: Any) -> Any:
        """Accept an order."""
        order = {**sent[0], "ordId": "7", "state": "live", "cTime": str(ms()), "uTime": str(ms()), "accFillSz": "0"}
        self.orders.append(order)
        return {"code": "0", "data": [{"ordId": "7", "clOrdId": order["clOrdId"], "sCode": "0"}]}

    def query(self, sent: Any) -> Any:
        """Answer a query of one order."""
        found = [
            one for one in self.orders if sent.get("clOrdId") == one["clOrdId"] or sent.get("ordId") == one["ordId"]
        ]
        return {"code": "0", "data": found} if found else {"code": "51603", "msg": "Order does not exist", "data": []}


class Bybit:
    """Bybit, whose list of open orders has forgotten everything."""

    name, symbol = "bybit", SPOT
    place, fields = "/v5/order/create", ("orderLinkId", "orderStatus", "orderId")
    cancel, amend = "/v5/order/cancel", "/v5/order/amend"

    def __init__(self, api: Any) -> None:
        self.api = api
        self.orders: list[dict[str, Any]] = []
        api.on("/v5/order/realtime", lambda _sent: self.listed([]))
        api.on("/v5/order/history", self.query)

    def accept(self, sent: Any) -> Any:
        """Accept an order."""
        times = {"createdTime": str(ms()), "updatedTime": str(ms())}
        self.orders.append({**sent, "orderId": "7", "orderStatus": "New", **times})
        return {"retCode": 0, "result": {"orderId": "7", "orderLinkId": sent["orderLinkId"]}, "time": ms()}

    def query(self, sent: Any) -> Any:
        """Answer a query of the history."""
        key, number = sent.get("orderLinkId"), sent.get("orderId")
        return self.listed([one for one in self.orders if key == one["orderLinkId"] or number == one["orderId"]])

    def listed(self, orders: list[Any]) -> Any:
        """Return orders in the envelope."""
        return {"retCode": 0, "retMsg": "OK", "result": {"list": orders}, "time": ms()}


class Binance:
    """Binance's spot orders."""

    name, symbol = "binance", SPOT
    place, fields = "/api/v3/order", ("clientOrderId", "status", "orderId")
    cancel, amend = "/api/v3/order", ""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.orders: list[dict[str, Any]] = []
        api.on(self.place.rpartition("/")[0] + "/time", lambda _sent: {"serverTime": ms()})

    def accept(self, sent: Any) -> Any:
        """Accept an order."""
        order = {**sent, "orderId": 7, "clientOrderId": sent["newClientOrderId"], "status": "NEW", "time": ms()}
        order |= {"origQty": sent["quantity"], "executedQty": "0", "updateTime": ms()}
        self.orders.append(order)
        return order

    def query(self, sent: Any) -> Any:
        """Answer a query of one order, on the path on which orders are placed."""
        key, number = sent.get("origClientOrderId"), sent.get("orderId")
        found = [one for one in self.orders if key == one["clientOrderId"] or number == str(one["orderId"])]
        return found[0] if found else (400, {"code": -2013, "msg": "Order does not exist."})


class Futures(Binance):
    """Binance's USD-M futures."""

    symbol, place, cancel, amend = SWAP, "/fapi/v1/order", "/fapi/v1/order", "/fapi/v1/order"


@pytest.fixture(params=[Okx, Bybit, Binance, Futures])
def venue(request: pytest.FixtureRequest, api: Any) -> Any:
    """A venue on a scripted server."""
    return request.param(api)


def script(venue: Any, *answers: Any) -> None:
    """Set what placements are answered; Binance has its query on the same path."""
    if isinstance(venue, Binance):
        left = list(answers)

        def answer(sent: Any) -> Any:
            if "origClientOrderId" in sent or "newClientOrderId" not in sent:
                return venue.query(sent)
            one = left.pop(0) if len(left) > 1 else left[0]
            return one(sent) if callable(one) else one

        venue.api.on(venue.place, answer)
    else:
        venue.api.on(venue.place, *answers)


def bot_at(bots: Any, venue: Any, **settings: Any) -> Any:
    """Return a wrapped exchange."""
    plain = bots.at(venue.api.rest, venue.name, venue.symbol)
    plain.options.update(UNIFIED)
    return wrap(plain, "short", policies=policies(**settings))


def placements(venue: Any) -> list[Any]:
    """Return the client ids of the placements that were sent."""
    sent = [one[0] if isinstance(one, list) else one for one in venue.api.sent_to(venue.place)]
    names = ("clOrdId", "orderLinkId", "newClientOrderId")
    return [one[name] for one in sent for name in names if name in one and "origClientOrderId" not in one]


def lost(accept: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return an answer to an accepted order that is lost."""

    def drop(sent: Any) -> str:
        accept(sent)
        return "drop"

    return drop


def test_an_order_whose_answer_is_lost_is_found(bots: Any, venue: Any) -> None:
    """The caller gets it in ccxt's own shape, and nothing is sent twice."""
    script(venue, lost(venue.accept))
    order = bots.call(bot_at(bots, venue).create_order, venue.symbol, *ORDER)
    assert (order["id"], order["clientOrderId"], order["status"], order["symbol"]) == (
        "7",
        "mine",
        "open",
        venue.symbol,
    )
    assert placements(venue) == ["mine"]


def test_an_order_that_never_arrived_is_sent_again(bots: Any, venue: Any) -> None:
    """Past the fence, with the same client id."""
    script(venue, "drop", venue.accept)
    order = bots.call(bot_at(bots, venue).create_order, venue.symbol, *ORDER)
    assert (order["id"], placements(venue), len(venue.orders)) == ("7", ["mine", "mine"], 1)


def test_orders_without_a_client_id_get_one(bots: Any, venue: Any) -> None:
    """Of a shape that the venue takes, without further words."""
    script(venue, lost(venue.accept))
    order = bots.call(bot_at(bots, venue).create_order, venue.symbol, "market", "sell", 1)
    assert order["id"] == "7"
    assert [len(key) for key in placements(venue)] == [32]


@pytest.mark.parametrize("answer", [{}, (200, ""), (200, '{"orderId": 12'), (502, "<html>bad gateway</html>")])
def test_an_answer_that_proves_nothing_is_looked_up(bots: Any, venue: Any, answer: Any) -> None:
    """Empty, cut off, a page: ccxt would make an order without an id of some, and an error of others."""

    def broken(sent: Any) -> Any:
        venue.accept(sent)
        return answer

    script(venue, broken)
    order = bots.call(bot_at(bots, venue).create_order, venue.symbol, *ORDER)
    assert (order["id"], placements(venue)) == ("7", ["mine"])


@pytest.mark.parametrize("change", ["key", "fields"])
def test_an_order_of_somebody_else_settles_nothing(bots: Any, venue: Any, change: str) -> None:
    """Another client id is an error of the lookup; ours with other fields is a foreign key. Nothing is sent again."""
    script(venue, lost(venue.accept))
    id_field, _, _ = venue.fields
    query = venue.query

    def foreign(sent: Any) -> Any:
        answer = json.loads(json.dumps(query(sent)))
        rows = answer.get("data") or answer.get("result", {}).get("list") or [answer]
        for row in rows:
            row.update({id_field: "theirs"} if change == "key" else {"side": "sell"})
        return answer

    venue.query = foreign
    path = {"okx": "/api/v5/trade/order", "bybit": "/v5/order/history"}.get(venue.name)
    if path is not None:
        venue.api.on(path, foreign)
    with pytest.raises(ccxt.BaseError) as caught:
        bots.call(bot_at(bots, venue, deadline="3s").create_order, venue.symbol, *ORDER)
    assert (failure_of(caught.value).executed, placements(venue)) == ("maybe", ["mine"])


def test_a_client_id_that_the_venue_refuses_is_not_sent(bots: Any, api: Any) -> None:
    """OKX takes letters and digits alone."""
    venue = Okx(api)
    script(venue, venue.accept)
    with pytest.raises(ccxt.BadRequest, match=r"OKX would reject 'my-id'"):
        bots.call(bot_at(bots, venue).create_order, SPOT, "limit", "buy", 1, 2, {"clientOrderId": "my-id"})
    assert placements(venue) == []


def test_requests_carry_their_expiry(bots: Any, venue: Any) -> None:
    """Five seconds where the policy says nothing: in the header or the parameter where the venue looks for it."""
    script(venue, venue.accept)
    plain = bots.at(venue.api.rest, venue.name, venue.symbol)
    plain.options.update(UNIFIED)
    bots.call(wrap(plain, "ccxt", policies=Policies.builtin()).create_order, venue.symbol, *ORDER)
    headers, (_, _, sent) = venue.api.headers[-1], venue.api.seen[-1]
    if venue.name == "okx":
        stamp = datetime.fromisoformat(headers["ok-access-timestamp"]).timestamp()
        assert int(headers["exptime"]) == pytest.approx(stamp * 1000 + 5000, abs=2)
    else:
        assert {"bybit": headers.get("x-bapi-recv-window"), "binance": sent.get("recvWindow")}[venue.name] == "5000"


def test_the_window_of_a_policy_is_that_of_its_calls_alone(bots: Any, venue: Any) -> None:
    """The options are the user's: they stay, for other policies and for calls without one."""
    script(venue, venue.accept)
    plain = bots.at(venue.api.rest, venue.name, venue.symbol)
    plain.options.update(UNIFIED)
    before = plain.options.get("recvWindow")
    bots.call(wrap(plain, "short", policies=policies()).create_order, venue.symbol, *ORDER)
    headers, (_, _, sent) = venue.api.headers[-1], venue.api.seen[-1]
    if venue.name == "okx":
        stamp = datetime.fromisoformat(headers["ok-access-timestamp"]).timestamp()
        assert int(headers["exptime"]) == pytest.approx(stamp * 1000 + 400, abs=2)
    else:
        assert {"bybit": headers.get("x-bapi-recv-window"), "binance": sent.get("recvWindow")}[venue.name] == "400"
    assert plain.options.get("recvWindow") == before


def test_a_part_of_a_success_that_failed_is_an_error(bots: Any, api: Any) -> None:
    """OKX says success of a batch whose only order was refused, and ccxt returns it as an order."""
    venue = Okx(api)
    script(venue, {"code": "0", "data": [{"ordId": "", "clOrdId": "mine", "sCode": "51008", "sMsg": "balance"}]})
    with pytest.raises(ccxt.ExchangeError, match="51008"):
        bots.call(bot_at(bots, venue, deadline="3s").create_order, SPOT, *ORDER)


def test_a_cancel_that_failed_is_answered_by_its_order(bots: Any, venue: Any) -> None:
    """It is found cancelled or filled, and the caller gets it as an order."""
    script(venue, venue.accept)
    bot = bot_at(bots, venue)
    bots.call(bot.create_order, venue.symbol, *ORDER)
    done = {"okx": "filled", "bybit": "Filled"}.get(venue.name, "FILLED")
    venue.orders[0][venue.fields[1]] = done
    failing = {
        "okx": {"code": "1", "data": [{"ordId": "7", "sCode": "51400", "sMsg": "gone"}]},
        "bybit": {"retCode": 170213, "retMsg": "Order does not exist.", "result": {}, "time": ms()},
    }
    if isinstance(venue, Binance):
        answers = iter([(400, {"code": -2011, "msg": "Unknown order sent."})])
        venue.api.on(venue.cancel, lambda sent: next(answers, None) or venue.query(sent))
    else:
        venue.api.on(venue.cancel, failing[venue.name])
    order = bots.call(bot.cancel_order, "7", venue.symbol)
    assert (order["id"], order["status"]) == ("7", "closed")


@pytest.mark.parametrize("arrives", [True, False])
def test_an_amendment_whose_answer_is_lost(bots: Any, venue: Any, arrives: bool) -> None:
    """In place: the order shows whether it has the new price; an amendment that it lacks is sent again."""
    if not venue.amend:
        pytest.skip("Binance's spot replaces orders")
    script(venue, venue.accept)
    bot = bot_at(bots, venue)
    bots.call(bot.create_order, venue.symbol, *ORDER)
    tries: list[Any] = []

    def amend(sent: Any) -> Any:
        if "newClientOrderId" in sent or not {"newPx", "price"} & sent.keys():
            return venue.query(sent)
        tries.append(sent)
        if arrives or len(tries) > 1:
            venue.orders[0].update({name: "3" for name in ("px", "price") if name in venue.orders[0]})
        answers = {
            "okx": {"code": "0", "data": [{"ordId": "7", "sCode": "0"}]},
            "bybit": {"retCode": 0, "result": {"orderId": "7"}, "time": ms()},
        }
        return "drop" if len(tries) == 1 else answers.get(venue.name, venue.orders[0])

    venue.api.on(venue.amend, amend)
    order = bots.call(bot.edit_order, "7", venue.symbol, "limit", "buy", 1, 3)
    assert (order["id"], len({json.dumps(one) for one in tries}) > 0) == ("7", True)
    assert len(venue.orders) == 1
    assert "mine" not in json.dumps(tries)


def test_a_replacement_whose_answer_is_lost(bots: Any, api: Any) -> None:
    """Binance's spot cancels and places anew: the new order is found by the client id of the call."""
    venue = Binance(api)
    script(venue, venue.accept)
    bot = bot_at(bots, venue)
    bots.call(bot.create_order, SPOT, *ORDER)

    def replace(sent: Any) -> str:
        venue.orders[0]["status"] = "CANCELED"
        venue.orders.append({**venue.accept(sent), "orderId": 8})
        del venue.orders[1]
        return "drop"

    venue.api.on("/api/v3/order/cancelReplace", replace)
    order = bots.call(bot.edit_order, "7", SPOT, "limit", "buy", 1, 3)
    assert (order["id"], len(venue.orders), len(venue.api.sent_to("/api/v3/order/cancelReplace"))) == ("8", 2, 1)


@pytest.mark.parametrize(("hours", "outcome"), [(1, "failed"), (3, "unknown")])
def test_a_write_of_an_earlier_process(bots: Any, api: Any, tmp_path: Path, hours: int, outcome: str) -> None:
    """OKX may have forgotten an order after two hours: then "not found" does not say that it never was."""
    venue = Okx(api)
    script(venue, "drop")
    api.on("/api/v5/public/time", "drop")
    with Outbox(tmp_path / "orders.db") as outbox:
        bot = wrap(
            bots.at(api.rest, "okx"), "short", policies=policies(deadline="2s", attempt_timeout="1s"), outbox=outbox
        )
        with pytest.raises(ccxt.NetworkError):
            bots.call(bot.create_order, SPOT, *ORDER)
        api.on("/api/v5/public/time", {"code": "0", "data": [{"ts": str(ms() + hours * 3_600_000)}]})
        resume = outbox.aresume if bots.asynchronous else outbox.resume
        settled = bots.call(resume, bot)
        assert [(one.key, one.outcome) for one in settled] == [("mine", outcome)]
    assert placements(venue) == ["mine"]


@pytest.mark.full
@pytest.mark.parametrize("symbol", [SPOT, SWAP])
@pytest.mark.parametrize("name", ["binance", "bybit", "okx"])
def test_a_harsh_exchange(bots: Any, name: str, symbol: str) -> None:
    """Each order is executed exactly once and reported as done, whatever is lost, late, refused or answered wrongly."""
    with Sandbox(venue=name, window=1.0, limits=False, seed=2) as exchange:
        plain = exchange.point(bots.at(exchange.rest, name, symbol))
        plain.set_markets([])
        plain.markets = None
        bot = wrap(plain, "ccxt", policies=Policies.load(exchange.policy))
        bots.call(bot.load_markets)
        exchange.set_faults(seed=2, rates="harsh")
        for number in range(12):
            order = (
                symbol,
                ("limit", "market")[number % 2],
                "buy",
                0.01,
                70_000,
                {"clientOrderId": f"order{number:03}"},
            )
            assert bots.call(bot.create_order, *order)["clientOrderId"] == f"order{number:03}"
        exchange.settle()
        assert [row["executions"] for row in exchange.ledger()["orders"]] == [1] * 12


@pytest.mark.parametrize("params", [{"clientOrderId": "mine"}, {}])
def test_conditional_orders_carry_the_key_by_its_own_name(bots: Any, api: Any, params: Any) -> None:
    """OKX's have `algoClOrdId`, and ccxt sends `clOrdId`, which means nothing there: a lost answer is looked up."""
    venue = Okx(api)
    placed: list[Any] = []

    def answer(sent: Any) -> Any:
        if "ordType" in sent:
            placed.append({**sent, "algoId": "7", "state": "live", "cTime": str(ms()), "uTime": str(ms())})
            return "drop"
        found = [one for one in placed if one["algoClOrdId"] == sent["algoClOrdId"]]
        return {"code": "0", "data": found} if found else {"code": "51603", "msg": "Order does not exist", "data": []}

    api.on("/api/v5/trade/order-algo", answer)
    order = bots.call(bot_at(bots, venue).create_order, SPOT, "market", "sell", 1, None, {"stopLossPrice": 2, **params})
    assert (order["id"], len(placed)) == ("7", 1)
    assert placed[0]["algoClOrdId"] == params.get("clientOrderId", placed[0]["clOrdId"])


def test_what_sends_a_request_as_it_is_given_is_under_the_policy(bots: Any, api: Any) -> None:
    """`fetch2` and `fetch` place orders too, and nothing is sent past the kill switch."""
    venue = Okx(api)
    script(venue, venue.accept)
    rules = policies()
    bot = wrap(bots.at(api.rest, "okx"), "short", policies=rules)
    arguments = "trade/batch-orders", ["private"], "POST", [{"instId": "BTC-USDT", "clOrdId": "mine"}]
    bots.call(bot.fetch2, *arguments)
    rules.isolate("short")
    with pytest.raises(CircuitOpenError):
        bots.call(bot.fetch2, *arguments)
    signed = bot.sign(*arguments)
    with pytest.raises(CircuitOpenError):
        bots.call(bot.fetch, signed["url"], signed["method"], signed["headers"], signed["body"])
    assert placements(venue) == ["mine"]


def test_a_cancel_that_passes_an_isolation_may_load_the_markets(bots: Any, api: Any) -> None:
    """A bot that has just been started can cancel; nobody else loads them."""
    venue = Okx(api)
    api.on("/api/v5/public/instruments", {"code": "0", "data": []})
    api.on("/api/v5/asset/currencies", {"code": "0", "data": []})
    api.on(venue.cancel, {"code": "0", "data": [{"ordId": "7", "clOrdId": "", "sCode": "0"}]})
    rules = policies()
    plain = bots.at(api.rest, "okx")
    plain.markets, symbols = None, plain.markets
    bot = wrap(plain, "short", policies=rules)
    rules.isolate("short", cancels=True)
    for method, *arguments in ((bot.load_markets,), (bot.create_order, SPOT, *ORDER)):
        with pytest.raises(CircuitOpenError):
            bots.call(method, *arguments)
    assert api.sent_to("/api/v5/public/instruments") == []
    with pytest.raises(ccxt.BadSymbol):  # of the markets that it has loaded
        bots.call(bot.cancel_order, "7", SPOT)
    assert api.sent_to("/api/v5/public/instruments") != []
    plain.set_markets(symbols)
    assert bots.call(bot.cancel_order, "7", SPOT)["id"] == "7"
