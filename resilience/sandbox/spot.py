"""Routes of spot orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .desk import Endpoint, Request, Turn
from .exchange import RefusedError

if TYPE_CHECKING:
    from .exchange import Order

__all__ = ["ROUTES"]

_TRADE = "/api/v2/spot/trade"


def _ids(order: Order) -> dict[str, str]:
    return {"orderId": order.order_id, "clientOid": order.client_id}


def _client_id(request: Request) -> str:
    return str(request.params.get("clientOid") or "")


def _place(turn: Turn) -> Any:
    return _ids(turn.exchange.place(turn.params, turn.now, visible_after=turn.lag))


def _cancel(turn: Turn) -> Any:
    return _ids(turn.exchange.cancel(turn.params, turn.now))


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
            good.append(_ids(turn.exchange.place(told, turn.now)))
        except RefusedError as error:
            told_id = str(told.get("clientOid") or "")
            bad.append({"orderId": "", "clientOid": told_id, "errorMsg": error.message, "errorCode": error.code})
    return {"successList": good, "failureList": bad}


def _info(turn: Turn) -> Any:
    return [order.shown() for order in turn.exchange.find(turn.params, turn.now)]


def _unfilled(turn: Turn) -> Any:
    return [order.shown() for order in turn.exchange.pending(turn.params.get("symbol"), turn.now)]


def _history(turn: Turn) -> Any:
    found = [o for o in list(turn.exchange.orders.values()) if o.status != "live" and o.visible_at <= turn.now]
    return [order.shown() for order in reversed(found)][:100]


ROUTES = {
    ("POST", f"{_TRADE}/place-order"): Endpoint(act=_place, kind="place", key=_client_id),
    ("POST", f"{_TRADE}/cancel-order"): Endpoint(act=_cancel, kind="cancel"),
    ("POST", f"{_TRADE}/batch-orders"): Endpoint(act=_batch),
    ("GET", f"{_TRADE}/orderInfo"): Endpoint(act=_info, kind="query"),
    ("GET", f"{_TRADE}/unfilled-orders"): Endpoint(act=_unfilled),
    ("GET", f"{_TRADE}/history-orders"): Endpoint(act=_history),
}
