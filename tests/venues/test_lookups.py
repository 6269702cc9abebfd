"""What a lookup by a venue's data asks, in which order, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from resilience import Found
from resilience._core.call.lookup_answer import InconclusiveLookupError, OtherOrderError
from resilience.venues import venue
from resilience.venues.order_lookup import look_up
from resilience.venues.order_queries import UnknownOrder
from resilience.venues.write_request import WriteRequest

NOW = 1_796_031_783.0
MS = int(NOW * 1000)
BYBIT = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "qty": "1", "price": "2", "orderLinkId": "k1"}
BINANCE = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "1", "price": "2", "newClientOrderId": "k1"}
OKX = {"instId": "BTC-USDT", "side": "buy", "ordType": "limit", "sz": "1", "px": "2", "tdMode": "cash", "clOrdId": "k1"}


def bybit(*rows: Mapping[str, Any], time: int = MS) -> Any:
    """Return Bybit's answer with these orders."""
    return {"retCode": 0, "retMsg": "OK", "result": {"list": list(rows)}, "time": time}


def bybit_row(**fields: Any) -> dict[str, Any]:
    """Return an order as Bybit reports it."""
    row = {"orderId": "7", "orderLinkId": "k1", "symbol": "BTCUSDT", "side": "Buy", "orderStatus": "New"}
    return {**row, "createdTime": str(MS), "updatedTime": str(MS), "qty": "1.0", "price": "2", **fields}


def okx(*rows: Mapping[str, Any]) -> Any:
    """Return OKX's answer with these orders."""
    return {"code": "0", "msg": "", "data": list(rows)}


def okx_row(**fields: Any) -> dict[str, Any]:
    """Return an order as OKX reports it."""
    row = {"ordId": "7", "clOrdId": "k1", "instId": "BTC-USDT", "side": "buy", "state": "live", "sz": "1", "px": "2"}
    return {**row, "cTime": str(MS), "uTime": str(MS), **fields}


def binance_row(**fields: Any) -> dict[str, Any]:
    """Return an order as Binance reports it."""
    row = {"orderId": 7, "clientOrderId": "k1", "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "status": "NEW"}
    return {**row, "origQty": "1.00", "price": "2.00", "time": MS, "updateTime": MS, **fields}


def run(
    name: str,
    endpoint: str,
    params: Mapping[str, Any],
    answers: list[Any],
    *,
    key: Any = "k1",
    sent_at: float = NOW,
    **extra: Any,
) -> tuple[Any, list[tuple[str, dict[str, Any]]]]:
    """Run a lookup with these answers; return what it returns, and what it has asked."""
    data = venue(name)
    write = data.write(endpoint)
    assert write is not None
    lookup = look_up(data, WriteRequest(write, params, key, sent_at, extra))
    asked, query = [], next(lookup)
    for answer in answers:
        asked.append((query.endpoint, query.params))
        try:
            query = lookup.send(answer)
        except StopIteration as end:
            return end.value, asked
    raise AssertionError(f"it asks further: {query}")


def place(name: str, params: Mapping[str, Any], *answers: Any, **options: Any) -> tuple[Any, list[Any]]:
    """Look up an order that was placed."""
    endpoints = {"bybit": "privatePostV5OrderCreate", "okx": "privatePostTradeOrder", "binance": "privatePostOrder"}
    return run(name, endpoints[name], params, list(answers), **options)


def test_the_first_query_that_shows_the_order_ends_the_lookup() -> None:
    """The answer is the order as the venue reports it, with the times of its making and of the answer."""
    answer, asked = place("bybit", BYBIT, bybit(bybit_row()))
    assert answer == Found(bybit_row(), NOW, server_time=NOW)
    ids = {"category": "spot", "symbol": "BTCUSDT", "orderLinkId": "k1"}
    assert asked == [("privateGetV5OrderRealtime", ids)]


def test_absence_needs_every_query() -> None:
    """Bybit's list of open orders forgets at a restart: the history is asked before "not found"."""
    answer, asked = place("bybit", BYBIT, bybit(), bybit(bybit_row(orderStatus="Filled")))
    assert answer.value["orderStatus"] == "Filled"
    assert [endpoint for endpoint, _ in asked] == ["privateGetV5OrderRealtime", "privateGetV5OrderHistory"]


def test_absence_counts_as_of_the_earliest_answer() -> None:
    """An order may have been placed between two queries."""
    answer, _ = place("bybit", BYBIT, bybit(time=MS), bybit(time=MS + 4000))
    assert (answer.server_time, answer.retention) == (NOW, 86400.0)


def test_the_clock_is_asked_first_where_answers_have_no_time() -> None:
    """So the time is a lower bound of that of the answers."""
    answer, asked = place("binance", BINANCE, {"serverTime": MS}, UnknownOrder())
    assert (answer.server_time, answer.retention) == (NOW, 90 * 86400.0)
    assert asked == [("publicGetTime", {}), ("privateGetOrder", {"symbol": "BTCUSDT", "origClientOrderId": "k1"})]


def test_an_error_that_says_unknown_has_the_time_of_the_answer() -> None:
    """Bitget's futures have no empty answer: the envelope of the error says when it was given."""
    params = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "clientOid": "k1"}
    error = UnknownOrder({"code": "40109", "requestTime": MS})
    answer, asked = run("bitget", "privateMixPostV2MixOrderPlaceOrder", params, [error])
    assert (answer.server_time, answer.retention, len(asked)) == (NOW, 7 * 86400.0, 1)


def test_lists_are_searched_for_the_client_id() -> None:
    """OKX's lists take no client id: other orders in them are passed over."""
    answer, asked = place(
        "okx", OKX, okx({"ts": str(MS)}), UnknownOrder(), okx(okx_row(clOrdId="k2")), okx(okx_row()), instType="SPOT"
    )
    assert answer.value["clOrdId"] == "k1"
    assert asked[-1] == (
        "privateGetTradeOrdersHistory", {"instType": "SPOT", "instId": "BTC-USDT", "begin": str(MS - 60_000)},
    )  # fmt: skip


@pytest.mark.parametrize(
    "fields", [{"side": "Sell"}, {"qty": "3"}, {"price": "2.5"}, {"symbol": "ETHUSDT"}], ids=lambda one: next(iter(one))
)
def test_a_found_order_is_compared(fields: dict[str, Any]) -> None:
    """An order with our client id and other fields is not ours."""
    answer, _ = place("bybit", BYBIT, bybit(bybit_row(**fields)))
    assert not answer.matches


def test_numbers_are_compared_by_value_where_both_sides_have_them() -> None:
    """A market order has no price to compare, and a size of 1 is one of 1.00."""
    market = {name: value for name, value in BINANCE.items() if name != "price"} | {"type": "MARKET"}
    answer, _ = place("binance", market, {"serverTime": MS}, binance_row(type="MARKET", price="0.00"))
    assert answer.matches


def test_of_several_orders_the_one_that_matches_counts() -> None:
    """A client id is free again when its order has ended."""
    answer, _ = place("bybit", BYBIT, bybit(bybit_row(qty="9"), bybit_row(orderId="8")))
    assert (answer.value["orderId"], answer.matches) == ("8", True)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (bybit(bybit_row(orderLinkId="k2")), OtherOrderError, "k2"),
        (bybit(bybit_row(orderLinkId="")), InconclusiveLookupError, "names"),
        (bybit({"orderLinkId": "k1"}), InconclusiveLookupError, "not an order"),
        ({"retCode": 0, "result": {}, "time": MS}, InconclusiveLookupError, "lists no orders"),
        ({"retCode": 10006, "result": {"list": []}}, InconclusiveLookupError, "the code 10006"),
        ({"message": "busy"}, InconclusiveLookupError, "the code None"),
        ("<html>", InconclusiveLookupError, "the code None"),
    ],
)
def test_what_is_no_answer_is_never_not_found(answer: Any, error: type[Exception], words: str) -> None:
    """Another order, a row that cannot be read, another envelope: the venue is asked again."""
    with pytest.raises(error, match=words):
        place("bybit", BYBIT, answer)


def test_absence_after_the_retention_says_nothing() -> None:
    """By the venue's own clock: after two hours OKX may have forgotten the order."""
    answers = (UnknownOrder(), okx(), okx())
    late, _ = place("okx", OKX, okx({"ts": str(MS)}), *answers, sent_at=NOW - 7201)
    fresh, _ = place("okx", OKX, okx({"ts": str(MS)}), *answers, sent_at=NOW - 7000)
    assert (late.retention, fresh.retention) == (0.0, 7200.0)


def cancel(*answers: Any, **params: Any) -> tuple[Any, list[Any]]:
    """Look up a cancel of OKX."""
    return run("okx", "privatePostTradeCancelOrder", {"instId": "BTC-USDT", **params}, list(answers), key=None)


def test_a_cancel_is_not_settled_by_an_order_of_another_market() -> None:
    """An id may be given in two markets."""
    with pytest.raises(OtherOrderError, match="ETH-USDT"):
        cancel(okx({"ts": str(MS)}), okx(okx_row(instId="ETH-USDT", state="filled")), ordId="7", instId="BTC-USDT")


@pytest.mark.parametrize(("state", "ended"), [("live", False), ("canceled", True), ("filled", True)])
def test_a_cancel_is_done_once_its_order_has_ended(state: str, ended: bool) -> None:
    """The caller gets the order, cancelled or filled; while it is open the cancel has not happened."""
    answer, asked = cancel(okx({"ts": str(MS)}), okx(okx_row(state=state)), ordId="7")
    assert isinstance(answer, Found) is ended
    assert asked[-1] == ("privateGetTradeOrder", {"instId": "BTC-USDT", "ordId": "7"})


def test_a_cancel_whose_order_is_not_visible_is_open() -> None:
    """The order may have been placed a moment ago."""
    with pytest.raises(InconclusiveLookupError, match="not visible"):
        cancel(okx({"ts": str(MS)}), UnknownOrder(), okx(), okx(), clOrdId="k1")


@pytest.mark.parametrize(("price", "done"), [("3", True), ("2", False)])
def test_an_amendment_is_done_once_the_order_has_the_new_values(price: str, done: bool) -> None:
    """An amendment in place has no id of its own."""
    params = {"instId": "BTC-USDT", "ordId": "7", "newPx": "3"}
    answers = [okx({"ts": str(MS)}), okx(okx_row(px=price))]
    answer, _ = run("okx", "privatePostTradeAmendOrder", params, answers, key=None)
    assert isinstance(answer, Found) is done


REPLACE = {**BINANCE, "cancelOrderId": "6"}


def replace(*old: Any) -> Any:
    """Look up a replacement whose new order is missing; `old` answers the question for the old one."""
    answers = [{"serverTime": MS}, UnknownOrder(), {"serverTime": MS}, *old]
    return run("binance", "privatePostOrderCancelReplace", REPLACE, answers)[0]


def test_a_replacement_is_found_by_its_new_order() -> None:
    """The old one need not be asked for."""
    answers = [{"serverTime": MS}, binance_row()]
    answer, _ = run("binance", "privatePostOrderCancelReplace", REPLACE, answers)
    assert answer.matches


def test_a_replacement_did_not_happen_while_its_old_order_is_open() -> None:
    """It may be sent again."""
    assert replace(binance_row(orderId="6", status="NEW")).server_time == NOW


def test_a_replacement_that_stopped_halfway_is_not_sent_again() -> None:
    """The old order is cancelled, and nobody can tell by whom."""
    assert not replace(binance_row(orderId="6", status="CANCELED", updateTime=MS - 60_000)).matches


@pytest.mark.parametrize("old", [UnknownOrder(), binance_row(orderId="6", status="CANCELED")], ids=["unseen", "fresh"])
def test_a_replacement_whose_new_order_may_still_appear_is_open(old: Any) -> None:
    """The venue is asked again."""
    with pytest.raises(InconclusiveLookupError):
        replace(old)


def test_a_replacement_that_names_no_old_order() -> None:
    """Only its new order can be looked for."""
    params = {**BINANCE}
    answer, _ = run("binance", "privatePostOrderCancelReplace", params, [{"serverTime": MS}, UnknownOrder()])
    assert answer.server_time == NOW
