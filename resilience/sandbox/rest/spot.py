"""Routes of spot orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..exchange.order_rules import PRICES, needed
from ..exchange.order_store import SPOT, Order, RefusedError
from .endpoint import Endpoint, Turn, client_id_of, new_id_of
from .order_lists import page

__all__ = ["ROUTES", "volumes"]

_TRADE = "/api/v2/spot/trade"


def volumes(order: Order) -> tuple[str, str, str]:
    """Return price, base and quote volume of an order that is filled; a market buy is sized in the quote coin."""
    told = order.params
    price = Decimal(told.get("price") or PRICES.get(told["symbol"], Decimal(1)))
    size = Decimal(told["size"])
    if told["orderType"] == "market" and told["side"] == "buy":
        return str(price), f"{size / price:.8f}", str(size)
    return str(price), str(size), str(size * price)


def _shown(order: Order, when: float) -> dict[str, Any]:
    """Return an order as the API shows it, as of `when`."""
    told, status = order.params, order.status_at(when)
    price, base, quote = volumes(order) if status == "filled" else ("0", "0", "0")
    row = {
        "userId": "1",
        "orderId": order.order_id,
        "clientOid": order.client_id,
        "symbol": told["symbol"],
        "side": told["side"],
        "orderType": told["orderType"],
        "force": told.get("force", ""),
        "size": told["size"],
        "price": told.get("price", ""),
        "status": status,
        "priceAvg": price,
        "baseVolume": base,
        "quoteVolume": quote,
        "feeDetail": "",
        "enterPointSource": "API",
        "orderSource": "normal",
        "cTime": str(int(order.created * 1000)),
        "uTime": str(int((order.at if order.at <= when else order.created) * 1000)),
    }
    return order.shown(row)


def _fill(order: Order) -> dict[str, Any]:
    """Return the one trade that filled an order."""
    price, base, quote = volumes(order)
    stamp = str(int(order.at * 1000))
    return {
        "userId": "1",
        "symbol": order.params["symbol"],
        "orderId": order.order_id,
        "tradeId": f"{order.order_id}1",
        "orderType": order.params["orderType"],
        "side": order.params["side"],
        "priceAvg": price,
        "size": base,
        "amount": quote,
        "feeDetail": {"deduction": "no", "feeCoin": "USDT", "totalDeductionFee": "", "totalFee": "0"},
        "tradeScope": "taker",
        "cTime": stamp,
        "uTime": stamp,
    }


def _ids(order: Order) -> dict[str, str]:
    return {"orderId": order.order_id, "clientOid": order.client_id}


def _place(turn: Turn) -> Any:
    return _ids(turn.exchange.place(SPOT, turn.params, turn.now, turn.lag))


def _cancel(turn: Turn) -> Any:
    return _ids(turn.exchange.cancel(SPOT, turn.params, turn.now, turn.lag))


def _replace(turn: Turn) -> Any:
    """Cancel an order and place it anew. A taken client id is found out in between: the old order is gone by then."""
    params, exchange = turn.params, turn.exchange
    needed(params, ("symbol", "size", "price"))
    change = {"size": params["size"], "price": params["price"], "clientOid": params.get("newClientOid")}
    with exchange.book.held:
        old = exchange.resting(SPOT, params, turn.now)
        fresh = exchange.checked(SPOT, {**old.params, **change})
        exchange.book.end(old, turn.now)
        try:
            return {**_ids(exchange.book.add(SPOT, fresh, turn.now, lag=turn.lag)), "success": "success", "msg": ""}
        except RefusedError as error:
            return {"orderId": None, "clientOid": change["clientOid"], "success": "failure", "msg": error.message}


def _batch(turn: Turn) -> Any:
    """Place several orders; those that are refused stand in the failureList of a successful answer."""
    orders = turn.params.get("orderList")
    if not isinstance(orders, list) or not 0 < len(orders) <= 50:
        raise RefusedError("40306", "Batch processing orders can only process up to 50")
    good: list[dict[str, str]] = []
    bad: list[dict[str, str]] = []
    for one in orders:
        told = {"symbol": turn.params.get("symbol"), **one} if isinstance(one, dict) else {}
        try:
            good.append(_ids(turn.exchange.place(SPOT, told, turn.now)))
        except RefusedError as error:
            told_id = str(told.get("clientOid") or "")
            bad.append({"orderId": "", "clientOid": told_id, "errorMsg": error.message, "errorCode": error.code})
    return {"successList": good, "failureList": bad}


def _info(turn: Turn) -> Any:
    return [_shown(o, turn.as_of) for o in turn.exchange.book.find(SPOT, turn.params, turn.now, turn.stale)]


def _listed(turn: Turn, *statuses: str) -> list[Order]:
    known = turn.exchange.book.listed(SPOT, turn.now)
    return page([order for order in known if order.status_at(turn.now) in statuses], turn.params)


def _unfilled(turn: Turn) -> Any:
    return [_shown(order, turn.now) for order in _listed(turn, "live")]


def _history(turn: Turn) -> Any:
    return [_shown(order, turn.now) for order in _listed(turn, "filled", "cancelled")]


def _fills(turn: Turn) -> Any:
    return [_fill(order) for order in _listed(turn, "filled")]


ROUTES = {
    ("POST", f"{_TRADE}/place-order"): Endpoint(act=_place, kind="place", key=client_id_of),
    ("POST", f"{_TRADE}/cancel-order"): Endpoint(act=_cancel, kind="cancel"),
    ("POST", f"{_TRADE}/cancel-replace-order"): Endpoint(act=_replace, kind="place", key=new_id_of),
    ("POST", f"{_TRADE}/batch-orders"): Endpoint(act=_batch),
    ("GET", f"{_TRADE}/orderInfo"): Endpoint(act=_info, kind="query"),
    ("GET", f"{_TRADE}/unfilled-orders"): Endpoint(act=_unfilled),
    ("GET", f"{_TRADE}/history-orders"): Endpoint(act=_history),
    ("GET", f"{_TRADE}/fills"): Endpoint(act=_fills),
}
