"""Defines the routes of spot orders."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ..exchange.order_rules import PRICES, require
from ..exchange.order_store import SPOT, Order, RefusedError
from .endpoint import Endpoint, HttpRequest, RequestContext, client_id_of, new_id_of
from .order_lists import page

__all__ = ["ROUTES", "fill_volumes"]

_TRADE = "/api/v2/spot/trade"


def fill_volumes(order: Order) -> tuple[str, str, str]:
    """Return the average price, base volume and quote volume of a filled order.

    The size of a market buy is in the quote coin, any other size in the base coin.
    """
    params = order.params
    price = Decimal(params.get("price") or PRICES.get(params["symbol"], Decimal(1)))
    size = Decimal(params["size"])
    if params["orderType"] == "market" and params["side"] == "buy":
        return str(price), f"{size / price:.8f}", str(size)
    return str(price), str(size), str(size * price)


def _order_row(order: Order, when: float) -> dict[str, Any]:
    """Return an order as the API shows it, as of `when`."""
    params, status = order.params, order.status_at(when)
    price, base, quote = fill_volumes(order) if status == "filled" else ("0", "0", "0")
    row = {
        "userId": "1",
        "orderId": order.order_id,
        "clientOid": order.client_id,
        "symbol": params["symbol"],
        "side": params["side"],
        "orderType": params["orderType"],
        "force": params.get("force", ""),
        "size": params["size"],
        "price": params.get("price", ""),
        "status": status,
        "priceAvg": price,
        "baseVolume": base,
        "quoteVolume": quote,
        "feeDetail": "",
        "enterPointSource": "API",
        "orderSource": "normal",
        "cTime": str(int(order.created * 1000)),
        "uTime": str(int(order.updated_at(when) * 1000)),
    }
    return order.with_planted_fields(row)


def _fill_row(order: Order) -> dict[str, Any]:
    """Return the trade that filled an order; an order fills in one trade."""
    price, base, quote = fill_volumes(order)
    stamp = str(int(order.status_since * 1000))
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


def _order_ids(order: Order) -> dict[str, str]:
    return {"orderId": order.order_id, "clientOid": order.client_id}


def _place(context: RequestContext) -> Any:
    return _order_ids(context.exchange.place(SPOT, context.params, context.now, context.lag))


def _cancel(context: RequestContext) -> Any:
    return _order_ids(context.exchange.cancel(SPOT, context.params, context.now, context.lag))


def _replace(context: RequestContext) -> Any:
    """Cancel an order and place a changed copy of it.

    As at the real exchange, a duplicate client id is found only after the cancel: the old order is gone and the
    answer is a success that says `failure`.
    """
    params, exchange = context.params, context.exchange
    require(params, ("symbol", "size", "price"))
    change = {"size": params["size"], "price": params["price"], "clientOid": params.get("newClientOid")}
    with exchange.orders.lock:
        # The lock is held from the lookup to the new order, so that no other request comes in between.
        old = exchange.find_resting(SPOT, params, context.now)
        fresh = exchange.check_order(SPOT, {**old.params, **change})
        exchange.orders.cancel(old, context.now)
        try:
            return {
                **_order_ids(exchange.orders.add(SPOT, fresh, context.now, lag=context.lag)),
                "success": "success",
                "msg": "",
            }
        except RefusedError as error:
            return {"orderId": None, "clientOid": change["clientOid"], "success": "failure", "msg": error.message}


def _failed_item(params: Mapping[str, Any], error: RefusedError) -> dict[str, str]:
    client_id = str(params.get("clientOid") or "")
    return {"orderId": "", "clientOid": client_id, "errorMsg": error.message, "errorCode": error.code}


def _first_id_of(request: HttpRequest) -> str:
    """Return the client id of the first order of a batch, by which its faults are drawn."""
    items = request.params.get("orderList")
    first = items[0] if isinstance(items, list) and items else None
    return str(first.get("clientOid") or "") if isinstance(first, dict) else ""


def _batch(context: RequestContext) -> Any:
    """Place several orders; the refused ones are in the failureList of a successful answer."""
    orders = context.params.get("orderList")
    if not isinstance(orders, list) or not 0 < len(orders) <= 50:
        raise RefusedError("40306", "Batch processing orders can only process up to 50")
    successes: list[dict[str, str]] = []
    failures: list[dict[str, str]] = []
    for order in orders:
        params = {"symbol": context.params.get("symbol"), **order} if isinstance(order, dict) else {}
        try:
            successes.append(_order_ids(context.exchange.place(SPOT, params, context.now)))
        except RefusedError as error:
            failures.append(_failed_item(params, error))
    return {"successList": successes, "failureList": failures}


def _info(context: RequestContext) -> Any:
    return [
        _order_row(o, context.as_of)
        for o in context.exchange.orders.find(SPOT, context.params, context.now, context.stale)
    ]


def _list_orders(context: RequestContext, *statuses: str) -> list[Order]:
    orders = context.exchange.orders.list_visible(SPOT, context.now)
    return page([order for order in orders if order.status_at(context.now) in statuses], context.params)


def _unfilled(context: RequestContext) -> Any:
    return [_order_row(order, context.now) for order in _list_orders(context, "live")]


def _history(context: RequestContext) -> Any:
    return [_order_row(order, context.now) for order in _list_orders(context, "filled", "cancelled")]


def _fills(context: RequestContext) -> Any:
    return [_fill_row(order) for order in _list_orders(context, "filled")]


ROUTES = {
    ("POST", f"{_TRADE}/place-order"): Endpoint(route=_place, kind="place", key=client_id_of),
    ("POST", f"{_TRADE}/cancel-order"): Endpoint(route=_cancel, kind="cancel"),
    ("POST", f"{_TRADE}/cancel-replace-order"): Endpoint(route=_replace, kind="place", key=new_id_of),
    ("POST", f"{_TRADE}/batch-orders"): Endpoint(route=_batch, kind="place", key=_first_id_of),
    ("GET", f"{_TRADE}/orderInfo"): Endpoint(route=_info, kind="query"),
    ("GET", f"{_TRADE}/unfilled-orders"): Endpoint(route=_unfilled),
    ("GET", f"{_TRADE}/history-orders"): Endpoint(route=_history),
    ("GET", f"{_TRADE}/fills"): Endpoint(route=_fills),
}
