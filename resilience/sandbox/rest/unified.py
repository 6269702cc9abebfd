"""Defines the routes of a unified account's orders (V3), with its own field names and error codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..exchange.order_store import FUTURES, SPOT, Market, Order, RefusedError
from .endpoint import Endpoint, RequestContext, client_id_of
from .order_lists import page
from .spot import fill_volumes

__all__ = ["ROUTES", "V3_CODES", "order_row", "to_v2"]

V3_CODES = {"43118": "25212", "40786": "25212", "40768": "25204", "22001": "25204", "43012": "25202", "43001": "25204"}
"""V3's error code for each error code of V2 that differs."""
_TRADE = "/api/v3/trade"
_V2_NAMES = {"qty": "size", "timeInForce": "force"}
_FUTURES_DEFAULTS = {"marginMode": "crossed", "marginCoin": "USDT"}
_MARKETS = {"SPOT": SPOT, "USDT-FUTURES": FUTURES}


def to_v2(category: Any, params: Mapping[str, Any]) -> tuple[Market, dict[str, Any]]:
    """Return the market of a category, and the parameters under V2's names.

    Raises:
        RefusedError: the category does not exist.
    """
    kind = str(category).upper()
    if kind not in _MARKETS:
        raise RefusedError("40017", "Parameter verification failed category")
    renamed = {_V2_NAMES.get(name, name): value for name, value in params.items() if name != "category"}
    # V2 requires `force` for a limit order; V3 has the default `gtc`.
    if renamed.get("orderType") == "limit":
        renamed.setdefault("force", "gtc")
    return _MARKETS[kind], renamed if kind == "SPOT" else {**_FUTURES_DEFAULTS, **renamed, "productType": kind}


def order_row(order: Order, status: str) -> dict[str, Any]:
    """Return an order as V3 shows it in a status: live, filled or cancelled."""
    params = order.params
    price, base, quote = fill_volumes(order) if status == "filled" else ("0", "0", "0")
    created = str(int(order.created * 1000))
    row = {
        "orderId": order.order_id,
        "clientOid": order.client_id,
        "category": "SPOT" if order.market is SPOT else "USDT-FUTURES",
        "symbol": params["symbol"],
        "side": params["side"],
        "orderType": params["orderType"],
        "timeInForce": params.get("force", "gtc"),
        "price": params.get("price", ""),
        "qty": params["size"],
        "orderStatus": status,
        "cumExecQty": base,
        "cumExecValue": quote,
        "avgPrice": price,
        "createdTime": created,
        "updatedTime": created if status == "live" else str(int(order.status_since * 1000)),
    }
    return order.with_planted_fields(row)


def _order_ids(order: Order) -> dict[str, str]:
    return {"orderId": order.order_id, "clientOid": order.client_id}


def _place(context: RequestContext) -> Any:
    market, params = to_v2(context.params.get("category"), context.params)
    return _order_ids(context.exchange.place(market, params, context.now, context.lag))


def _cancel(context: RequestContext) -> Any:
    # V3 names no category in a cancel, so each market is searched for the order.
    for market in _MARKETS.values():
        if context.exchange.orders.find(market, context.params, context.now):
            return _order_ids(context.exchange.cancel(market, context.params, context.now, context.lag))
    raise RefusedError("25204", "Order does not exist")


def _info(context: RequestContext) -> Any:
    for market in _MARKETS.values():
        for order in context.exchange.orders.find(market, context.params, context.now, context.stale):
            return order_row(order, order.status_at(context.as_of))
    raise RefusedError("25204", "Order does not exist")


def _visible_orders(context: RequestContext) -> list[Order]:
    """Return the orders of the requested category, or of all, that a query can see."""
    category = context.params.get("category")
    markets = [to_v2(category, {})[0]] if category else list(_MARKETS.values())
    return [order for market in markets for order in context.exchange.orders.list_visible(market, context.now)]


def _list_orders(context: RequestContext, *, live: bool) -> Any:
    chosen = [order for order in _visible_orders(context) if (order.status_at(context.now) == "live") == live]
    params = {
        name: value for name, value in context.params.items() if name in ("symbol", "startTime", "endTime", "limit")
    }
    # V3's cursor is an order id, as V2's `idLessThan` is.
    params["idLessThan"] = context.params.get("cursor")
    rows = [order_row(order, order.status_at(context.now)) for order in page(chosen, params)]
    return {"list": rows, "cursor": rows[-1]["orderId"] if rows else None}


def _with_v3_codes(route: Callable[[RequestContext], Any]) -> Callable[[RequestContext], Any]:
    """Return a route whose refusals have V3's codes."""

    def translated(context: RequestContext) -> Any:
        try:
            return route(context)
        except RefusedError as error:
            raise RefusedError(V3_CODES.get(error.code, error.code), error.message, error.status) from None

    return translated


ROUTES = {
    ("POST", f"{_TRADE}/place-order"): Endpoint(route=_with_v3_codes(_place), kind="place", key=client_id_of),
    ("POST", f"{_TRADE}/cancel-order"): Endpoint(route=_with_v3_codes(_cancel), kind="cancel"),
    ("GET", f"{_TRADE}/order-info"): Endpoint(route=_with_v3_codes(_info), kind="query"),
    ("GET", f"{_TRADE}/unfilled-orders"): Endpoint(route=lambda context: _list_orders(context, live=True)),
    ("GET", f"{_TRADE}/history-orders"): Endpoint(route=lambda context: _list_orders(context, live=False)),
}
