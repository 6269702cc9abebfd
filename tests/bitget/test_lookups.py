"""What the responses to a lookup prove: an order of ours, no order, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from resilience import NOT_FOUND, Found
from resilience.bitget.operations import OPERATIONS
from tests.bitget.lookup_runs import Write, run_lookup

NOW = 1_700_000_000_000  # milliseconds
HOUR = 3_600.0
WEEK = 7 * 24 * HOUR
ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "size": "1", "price": "100"}
ROW = {**ORDER, "orderId": "7", "clientOid": "mine", "status": "live", "cTime": str(NOW - 1000)}
V3_ROW = {
    "symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "qty": "1", "price": "100", "orderId": "7",
    "clientOid": "mine", "orderStatus": "live", "createdTime": str(NOW - 1000), "updatedTime": str(NOW - 1000),
}  # fmt: skip
LOOKUPS = {"spot_place_order": ROW, "mix_place_order": ROW, "uta_place_order": V3_ROW}


def absent(retention: float) -> Any:
    """Return "not found", which is an answer for so many seconds after the write."""
    return type(NOT_FOUND)(NOW / 1000, retention)


def write(age: float = 1.0, **changes: Any) -> Write:
    """Return a write whose first attempt was stamped `age` seconds ago."""
    params = {**ORDER, "productType": "USDT-FUTURES", "category": "spot", "qty": "1", **changes}
    return Write(params, "mine", NOW / 1000 - age)


def envelope(data: Any, at: int | None = NOW) -> dict[str, Any]:
    """Return a success, with the server's time if there is one."""
    return {"code": "00000", "msg": "success", "data": data} | ({} if at is None else {"requestTime": at})


def listed(operation: str, rows: list[Any] | None) -> dict[str, Any]:
    """Return a list of orders as the market's endpoints answer it; an empty one is null on some."""
    shapes: dict[str, Any] = {
        "spot_place_order": rows or [],
        "mix_place_order": {"entrustedList": rows},
        "uta_place_order": {"list": rows, "cursor": "100"},
    }
    return envelope(shapes[operation])


def look_up(operation: str, request: Write, *answers: Any) -> tuple[Any, list[tuple[str, dict[str, Any]]]]:
    """Return the result of a lookup that gets these answers, the last one again and again, and its queries."""
    queries: list[tuple[str, dict[str, Any]]] = []

    def ask(path: str, params: dict[str, Any]) -> Any:
        queries.append((path, params))
        answer = answers[min(len(queries), len(answers)) - 1]
        return answer(path, params) if callable(answer) else answer

    endpoint = OPERATIONS[operation].write
    assert endpoint is not None
    return run_lookup(endpoint, request, ask), queries


@pytest.fixture(params=LOOKUPS)
def market(request: Any) -> tuple[str, Mapping[str, Any]]:
    """The operation that places an order in a market, and the row of our order there."""
    return request.param, LOOKUPS[request.param]


def test_our_order_is_found(market: Any) -> None:
    """The id and the fields are those of the write."""
    lookup, row = market
    found, _ = look_up(lookup, write(), envelope([row]))
    assert (found.matches, found.value["orderId"], found.created_at) == (True, "7", NOW / 1000 - 1)


@pytest.mark.parametrize("client_id", ["another", None, ""])
def test_an_order_with_another_client_id_is_no_answer(market: Any, client_id: Any) -> None:
    """The lookup asked by the client id, so a row with another one, or with none, settles nothing."""
    lookup, row = market
    with pytest.raises(Exception, match="asked for the order with clientOid mine"):
        look_up(lookup, write(), envelope([{**row, "clientOid": client_id}]))


@pytest.mark.parametrize("changes", [{"symbol": "ETHUSDT"}, {"side": "sell"}, {"orderType": "market"}])
def test_our_id_with_other_fields_belongs_to_another_order(market: Any, changes: Mapping[str, str]) -> None:
    """The outcome of the write is unknown, and it is not sent again."""
    lookup, row = market
    found, _ = look_up(lookup, write(), envelope([{**row, **changes}]))
    assert isinstance(found, Found)
    assert not found.matches


@pytest.mark.parametrize("data", [None, "x", 3, [None], [{"clientOid": "mine"}], {"clientOid": "mine"}])
def test_a_row_that_is_no_order_is_no_answer(market: Any, data: Any) -> None:
    """Such a response settles nothing."""
    with pytest.raises(Exception, match="the answer to the lookup"):
        look_up(market[0], write(), envelope(data))


@pytest.mark.parametrize("answer", [None, "<html>", [], 7])
def test_a_response_that_is_no_envelope_is_no_answer(market: Any, answer: Any) -> None:
    """Such a response settles nothing, and is not a mistake of the program either."""
    with pytest.raises(Exception, match="the answer to the lookup has the code None"):
        look_up(market[0], write(), answer)


def test_a_young_order_is_not_searched_in_the_lists(market: Any) -> None:
    """Within two hours the query by the client id is enough."""
    lookup, _ = market
    result, queries = look_up(lookup, write(age=HOUR), envelope([]))
    assert (result, len(queries)) == (absent(WEEK), 1)


def test_an_old_order_is_searched_in_the_lists(market: Any) -> None:
    """After two hours "not found" by the client id proves nothing, so the open and the past orders are searched."""
    lookup, row = market
    found, queries = look_up(lookup, write(age=3 * HOUR), envelope([]), listed(lookup, None), listed(lookup, [row]))
    assert (found.value["orderId"], found.matches) == ("7", True)
    paths = [path.rpartition("/")[2] for path, _ in queries]
    open_orders, past_orders = paths[1:]
    assert open_orders in ("unfilled-orders", "orders-pending")
    assert past_orders in ("history-orders", "orders-history")
    assert [params["startTime"] for _, params in queries[1:]] == [str(NOW - 3 * 3_600_000 - 60_000)] * 2


def test_an_old_order_in_no_list_is_not_found(market: Any) -> None:
    """The lists reach back to the first attempt."""
    lookup, _ = market
    result, queries = look_up(lookup, write(age=3 * HOUR), envelope([]), listed(lookup, []))
    assert (result, len(queries)) == (absent(WEEK), 3)


def test_a_very_old_order_cannot_be_looked_up(market: Any) -> None:
    """The lists do not reach back for ever: "not found" says nothing, so its outcome is unknown."""
    lookup, _ = market
    result, _ = look_up(lookup, write(age=WEEK + HOUR), envelope([]), listed(lookup, []))
    assert result == absent(0.0)


def test_lists_are_read_to_their_end(market: Any) -> None:
    """A list that does not end within twenty pages settles nothing."""
    lookup, row = market
    page = [{**row, "clientOid": f"other-{number}", "orderId": str(number + 1)} for number in range(100)]
    lists = listed(lookup, page)
    with pytest.raises(Exception, match="did not reach the end"):
        look_up(lookup, write(age=3 * HOUR), envelope([]), lists)


def test_the_newest_order_of_an_id_is_ours() -> None:
    """An id is free again when its order has ended, so an older order may have had it."""
    older = {**ROW, "orderId": "6", "side": "sell", "cTime": str(NOW - 60_000)}
    found, _ = look_up("spot_place_order", write(), envelope([older, ROW]))
    assert (found.value["orderId"], found.matches) == ("7", True)


CANCEL = Write({"symbol": "BTCUSDT", "orderId": "7"}, None, NOW / 1000)


@pytest.mark.parametrize("changes", [{"orderId": "8"}, {"symbol": "ETHUSDT"}])
def test_a_cancel_is_not_confirmed_by_another_order(changes: Mapping[str, str]) -> None:
    """Another order's id, or another symbol, settles nothing."""
    with pytest.raises(Exception, match="the lookup asked for"):
        look_up("spot_cancel_order", CANCEL, envelope([{**ROW, "status": "cancelled", **changes}]))


@pytest.mark.parametrize(("status", "result"), [("cancelled", Found), ("filled", Found), ("live", type(NOT_FOUND))])
def test_a_cancel_is_done_when_its_order_has_ended(status: str, result: type) -> None:
    """An order that is still open was not cancelled."""
    answer, _ = look_up("spot_cancel_order", CANCEL, envelope([{**ROW, "status": status}]))
    assert isinstance(answer, result)


def test_a_cancel_of_an_order_that_cannot_be_seen() -> None:
    """It may not be visible yet, so its absence does not mean that it has ended."""
    with pytest.raises(Exception, match="not visible"):
        look_up("spot_cancel_order", CANCEL, envelope([]))


AMENDMENT = Write(
    {"symbol": "BTCUSDT", "orderId": "6", "price": "101", "size": "1", "newClientOid": "mine"}, "mine", NOW / 1000
)


@pytest.mark.parametrize(
    ("old", "message"),
    [
        ([{**ROW, "orderId": "9"}], "names 9"),
        ([{**ROW, "orderId": "6", "symbol": "ETHUSDT"}], "names ETHUSDT"),
        ([], "not visible"),
        ([{**ROW, "orderId": "6", "status": "cancelled", "uTime": str(NOW)}], "not visible yet"),
    ],
)
def test_an_amendment_is_not_judged_by_another_order(old: Any, message: str) -> None:
    """Unless the old order itself is seen, nothing says whether the amendment happened."""
    with pytest.raises(Exception, match=message):
        look_up("spot_replace_order", AMENDMENT, envelope([]), envelope(old))


def test_an_amendment_did_not_happen_while_its_order_is_open() -> None:
    """The old order is open, and the new one was not found."""
    answer, _ = look_up("spot_replace_order", AMENDMENT, envelope([]), envelope([{**ROW, "orderId": "6"}]))
    assert answer == absent(WEEK)
