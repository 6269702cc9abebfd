"""Defines Bybit's routes that read orders: the realtime list forgets at a restart, the history after some time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...rest.endpoint import Endpoint, RequestContext
from ..order_view import OrderView, remembers, view
from .bybit_answers import format_reply, refused
from .bybit_rows import execution_row, order_row
from .bybit_writes import market_of, named_id_of

__all__ = ["ROUTES"]

_HOURS, _DAYS = 3600.0, 86400.0
_UNFILLED, _ENDED, _TRADED = 24 * _HOURS, 7 * _DAYS, 730 * _DAYS
"""For how long the history has orders without fills, those of a request without times, and orders with fills."""
_CLOSED_IN_REALTIME = 500
_MAX_PAGE = 50


def _all(context: RequestContext) -> list[OrderView]:
    """Return the orders of the category that the request names by id, symbol or not at all, newest first.

    A category has its own list, so that an order is not found under another one.
    """
    params, market, orders = context.params, market_of(context.params), context.exchange.orders
    if params.get("orderId"):  # the order id wins if both are there
        found = orders.find(market, {"orderId": params["orderId"]}, context.now, context.stale)
    elif params.get("orderLinkId"):
        found = orders.find_by_client_id(market, params["orderLinkId"], context.now, context.stale)[::-1]
    else:
        found = orders.list_visible(market, context.now)
    symbol = params.get("symbol")
    return [view(order, context.as_of) for order in found if symbol in (None, "", order.params["symbol"])]


def _names_one(params: Mapping[str, Any]) -> bool:
    return bool(params.get("orderId") or params.get("orderLinkId"))


def _realtime(context: RequestContext) -> Any:
    """Return open orders, and by id also the latest closed ones since the last restart of the service."""
    params = context.params
    if params.get("category") == "linear" and not any(params.get(n) for n in ("symbol", "baseCoin", "settleCoin")):
        raise refused(10001, "params error: symbol, settleCoin or baseCoin is required")
    views = _all(context)
    rows = [one for one in views if one.status == "live"]
    if _names_one(params) or str(params.get("openOnly")) == "1":
        known = _closed_in_realtime(context)
        rows = [one for one in views if one.status == "live" or one.order.order_id in known]
    return _list(context, [order_row(one) for one in rows])


def _closed_in_realtime(context: RequestContext) -> set[str]:
    orders = context.exchange.orders.list_visible(market_of(context.params), context.now)
    closed = [order for order in orders if order.status != "live"][:_CLOSED_IN_REALTIME]
    return {order.order_id for order in closed if order.status_since > context.exchange.restarted_at}


def _history(context: RequestContext) -> Any:
    """Return closed orders, which are forgotten after a time that depends on whether they have fills."""
    timed = bool(context.params.get("startTime") or context.params.get("endTime"))
    scale = context.exchange.time_scale
    rows = [
        order_row(one)
        for one in _within(context, _all(context))
        if one.status != "live"
        and remembers(one.order, context.now, scale, unfilled=_UNFILLED, ended=_TRADED if timed else _ENDED)
    ]
    return _list(context, rows)


def _executions(context: RequestContext) -> Any:
    scale = context.exchange.time_scale
    rows = [
        execution_row(one)
        for one in _within(context, _all(context))
        if one.filled and remembers(one.order, context.now, scale, unfilled=0.0, ended=_TRADED)
    ]
    return _list(context, rows)


def _within(context: RequestContext, views: list[OrderView]) -> list[OrderView]:
    """Return the orders of a request's times, which are in ms and inclusive."""
    since, until = (_number(context.params, name) for name in ("startTime", "endTime"))
    return [one for one in views if (since or 0) <= one.created <= (until or 1 << 62)]


def _number(params: Mapping[str, Any], name: str) -> int | None:
    text = str(params.get(name) or "")
    if text and not text.isdecimal():
        raise refused(10001, f"params error: {name} invalid")
    return int(text) if text else None


def _list(context: RequestContext, rows: list[dict[str, Any]]) -> Any:
    """Return a page of rows; the cursor is the number of rows before the next page."""
    start, size = _number(context.params, "cursor") or 0, min(_number(context.params, "limit") or 20, _MAX_PAGE)
    page = rows[start : start + size]
    cursor = str(start + size) if len(rows) > start + size else ""
    return {"category": context.params.get("category"), "list": page, "nextPageCursor": cursor}


def _read(route: Callable[[RequestContext], Any], **settings: Any) -> Endpoint:
    return Endpoint(route=route, format_reply=format_reply, **settings)


ROUTES = {
    ("GET", "/v5/order/realtime"): _read(_realtime, kind="query", key=named_id_of),
    ("GET", "/v5/order/history"): _read(_history, kind="query", key=named_id_of),
    ("GET", "/v5/execution/list"): _read(_executions),
}
