"""Defines the routes of futures orders (classic V2, USDT-margined)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exchange.order_rules import PRICES, check_product, require
from ..exchange.order_store import FUTURES, Order, RefusedError
from .endpoint import Endpoint, RequestContext, client_id_of, new_id_of
from .order_lists import page

__all__ = ["ROUTES"]

_ORDER = "/api/v2/mix/order"


def _order_row(order: Order, when: float, hedge: bool) -> dict[str, Any]:
    """Return an order as the API shows it, as of `when`; here the status is called `state`."""
    params = order.params
    state = {"cancelled": "canceled"}.get(order.status_at(when), order.status_at(when))
    filled = params["size"] if state == "filled" else "0"
    # In hedge mode a sell opens a short position or closes a long one.
    short = (params["side"] == "sell") != (params.get("tradeSide", "open").lower() == "close")
    average = params.get("price") or str(PRICES.get(params["symbol"], ""))
    row = {
        "orderId": order.order_id,
        "clientOid": order.client_id,
        "symbol": params["symbol"],
        "size": params["size"],
        "price": params.get("price", ""),
        "priceAvg": average if state == "filled" else "",
        "baseVolume": filled,
        "state": state,
        "side": params["side"],
        "force": params.get("force", "gtc"),
        "orderType": params["orderType"],
        "marginMode": params.get("marginMode", "crossed"),
        "marginCoin": params.get("marginCoin", "USDT"),
        "posSide": ("short" if short else "long") if hedge else "net",
        "posMode": "hedge_mode" if hedge else "one_way_mode",
        "tradeSide": params.get("tradeSide", ""),
        "reduceOnly": params.get("reduceOnly", "NO"),
        "leverage": "10",
        "fee": "0",
        "totalProfits": "0",
        "orderSource": params["orderType"],
        "cTime": str(int(order.created * 1000)),
        "uTime": str(int(order.updated_at(when) * 1000)),
    }
    return order.with_planted_fields(row)


def _check_instrument(params: Mapping[str, Any]) -> None:
    require(params, ("symbol",))
    check_product(params)


def _place(context: RequestContext) -> Any:
    """Place an order. The answer to a reduce-only order in one-way mode has no order id, as at the real exchange."""
    order = context.exchange.place(FUTURES, context.params, context.now, context.lag)
    reduces = str(context.params.get("reduceOnly", "")).upper() == "YES" and not context.exchange.hedge
    return {"orderId": None if reduces else order.order_id, "clientOid": order.client_id}


def _cancel(context: RequestContext) -> Any:
    _check_instrument(context.params)
    order = context.exchange.cancel(FUTURES, context.params, context.now, context.lag)
    return {"orderId": order.order_id, "clientOid": order.client_id}


def _modify(context: RequestContext) -> Any:
    """Cancel an order and place a changed copy of it; the answer does not have the new order id."""
    params = context.params
    _check_instrument(params)
    change = {name: params[f"new{name.title()}"] for name in ("size", "price") if params.get(f"new{name.title()}")}
    if change:
        require(params, ("newClientOid",))
        context.exchange.replace(
            FUTURES, params, {**change, "clientOid": params["newClientOid"]}, context.now, context.lag
        )
    return {"orderId": None, "clientOid": params.get("newClientOid")}


def _detail(context: RequestContext) -> Any:
    _check_instrument(context.params)
    for order in context.exchange.orders.find(FUTURES, context.params, context.now, context.stale):
        if order.params["symbol"] == context.params["symbol"]:
            return _order_row(order, context.as_of, context.exchange.hedge)
    raise RefusedError("40109", "The data of the order cannot be found, please confirm the order number")


def _list_orders(context: RequestContext, *, live: bool) -> Any:
    check_product(context.params)
    orders = [
        o
        for o in context.exchange.orders.list_visible(FUTURES, context.now)
        if (o.status_at(context.now) == "live") == live
    ]
    rows = [
        _order_row(order, context.now, context.exchange.hedge) for order in page(orders, context.params, by_client=True)
    ]
    # Bitget sends null, not an empty list, when there are no orders.
    return {"entrustedList": rows or None, "endId": rows[-1]["orderId"] if rows else None}


def _pending(context: RequestContext) -> Any:
    return _list_orders(context, live=True)


def _history(context: RequestContext) -> Any:
    return _list_orders(context, live=False)


ROUTES = {
    ("POST", f"{_ORDER}/place-order"): Endpoint(route=_place, kind="place", key=client_id_of),
    ("POST", f"{_ORDER}/cancel-order"): Endpoint(route=_cancel, kind="cancel"),
    ("POST", f"{_ORDER}/modify-order"): Endpoint(route=_modify, kind="place", key=new_id_of),
    ("GET", f"{_ORDER}/detail"): Endpoint(route=_detail, kind="query"),
    ("GET", f"{_ORDER}/orders-pending"): Endpoint(route=_pending),
    ("GET", f"{_ORDER}/orders-history"): Endpoint(route=_history),
}
