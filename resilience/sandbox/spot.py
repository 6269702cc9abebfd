"""Routes of spot orders."""

from __future__ import annotations

from typing import Any

from .book import SPOT, Order, RefusedError
from .endpoint import Endpoint, Turn, client_id_of

__all__ = ["ROUTES"]

_TRADE = "/api/v2/spot/trade"


def _shown(order: Order, when: float) -> dict[str, Any]:
    """Return an order as the API shows it, as of `when`."""
    told = order.params
    status = order.status_at(when)
    row = {
        "orderId": order.order_id,
        "clientOid": order.client_id,
        "symbol": told["symbol"],
        "side": told["side"],
        "orderType": told["orderType"],
        "force": told.get("force", ""),
        "size": told["size"],
        "price": told.get("price", ""),
        "status": status,
        "baseVolume": told["size"] if status == "filled" else "0",
        "cTime": str(int(order.created * 1000)),
        "uTime": str(int((order.at if order.at <= when else order.created) * 1000)),
    }
    return order.shown(row)


def _ids(order: Order) -> dict[str, str]:
    return {"orderId": order.order_id, "clientOid": order.client_id}


def _place(turn: Turn) -> Any:
    return _ids(turn.exchange.place(SPOT, turn.params, turn.now, turn.lag))


def _cancel(turn: Turn) -> Any:
    return _ids(turn.exchange.cancel(SPOT, turn.params, turn.now, turn.lag))


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


def _unfilled(turn: Turn) -> Any:
    live = [order for order in turn.exchange.book.listed(SPOT, turn.now) if order.status_at(turn.now) == "live"]
    return [_shown(o, turn.now) for o in live if turn.params.get("symbol") in (None, "", o.params["symbol"])]


def _history(turn: Turn) -> Any:
    past = [order for order in turn.exchange.book.listed(SPOT, turn.now) if order.status_at(turn.now) != "live"]
    return [_shown(order, turn.now) for order in past[:100]]


ROUTES = {
    ("POST", f"{_TRADE}/place-order"): Endpoint(act=_place, kind="place", key=client_id_of),
    ("POST", f"{_TRADE}/cancel-order"): Endpoint(act=_cancel, kind="cancel"),
    ("POST", f"{_TRADE}/batch-orders"): Endpoint(act=_batch),
    ("GET", f"{_TRADE}/orderInfo"): Endpoint(act=_info, kind="query"),
    ("GET", f"{_TRADE}/unfilled-orders"): Endpoint(act=_unfilled),
    ("GET", f"{_TRADE}/history-orders"): Endpoint(act=_history),
}
