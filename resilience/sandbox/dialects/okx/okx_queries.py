"""Defines OKX's routes that read orders, each of which forgets after a time of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...rest.endpoint import Endpoint, RequestContext
from ..order_view import OrderView, list_orders, remembers, view
from .okx_answers import format_reply, refused
from .okx_instruments import INSTRUMENTS
from .okx_requests import named_id_of
from .okx_rows import fill_row, order_row
from .okx_writes import MARKET, find_named

__all__ = ["ROUTES"]

_TRADE = "/api/v5/trade"
_HOURS, _DAYS = 3600.0, 86400.0
# How long the single query serves filled orders is not documented; the shortest time is what a client must expect.
_QUERY = {"unfilled": 2 * _HOURS, "ended": 2 * _HOURS}
_HISTORY = {"unfilled": 2 * _HOURS, "ended": 7 * _DAYS}
_ARCHIVE = {"unfilled": 2 * _HOURS, "ended": 90 * _DAYS}
_FILLS = {"unfilled": 0.0, "ended": 3 * _DAYS}
_FILLS_HISTORY = {"unfilled": 0.0, "ended": 90 * _DAYS}
_MAX_PAGE = 100


def _query(context: RequestContext) -> Any:
    order = find_named(context, context.params)
    if order is None or not remembers(order, context.now, context.exchange.time_scale, **_QUERY):
        raise refused("51603", "Order does not exist")
    return [order_row(view(order, context.as_of))]


def _number(params: Mapping[str, Any], name: str, default: int) -> int:
    text = str(params.get(name) or default)
    if not text.isdecimal():
        raise refused("51000", f"Parameter {name} error", 400)
    return int(text)


def _page(views: list[OrderView], params: Mapping[str, Any]) -> list[OrderView]:
    """Return a page of orders, newest first: `after` continues with those older than an order id."""
    begin, end = _number(params, "begin", 0), _number(params, "end", 1 << 62)
    ids = [one.order.order_id for one in views]
    start = ids.index(params["after"]) + 1 if params.get("after") in ids else 0
    wanted = {"instId": params.get("instId"), "ordId": params.get("ordId"), "instType": params.get("instType")}
    chosen = [one for one in views[start:] if begin <= one.created <= end and _matches(order_row(one), wanted)]
    return chosen[: min(_number(params, "limit", _MAX_PAGE), _MAX_PAGE)]


def _matches(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(value in (None, "", row[name]) for name, value in wanted.items())


def _pending(context: RequestContext) -> Any:
    return [order_row(one) for one in _page(list_orders(context, MARKET, None, "live"), context.params)]


def _ended(context: RequestContext, statuses: tuple[str, ...], times: Mapping[str, float]) -> list[OrderView]:
    scale, now = context.exchange.time_scale, context.now
    views = [
        one
        for one in list_orders(context, MARKET, None, *statuses)
        if remembers(one.order, now, scale, unfilled=times["unfilled"], ended=times["ended"])
    ]
    return _page(views, context.params)


def _history(times: Mapping[str, float], context: RequestContext) -> Any:
    if context.params.get("instType") not in {kind for kind, _ in INSTRUMENTS.values()} | {"MARGIN", "FUTURES"}:
        raise refused("51000", "Parameter instType error", 400)
    state = {"canceled": ("cancelled",), "filled": ("filled",)}.get(str(context.params.get("state")), ())
    return [order_row(one) for one in _ended(context, state or ("filled", "cancelled"), times)]


def _fills(times: Mapping[str, float], context: RequestContext) -> Any:
    return [fill_row(one) for one in _ended(context, ("filled",), times)]


def _read(route: Callable[[RequestContext], Any], **settings: Any) -> Endpoint:
    return Endpoint(route=route, format_reply=format_reply, **settings)


ROUTES = {
    ("GET", f"{_TRADE}/order"): _read(_query, kind="query", key=named_id_of),
    ("GET", f"{_TRADE}/orders-pending"): _read(_pending),
    ("GET", f"{_TRADE}/orders-history"): _read(partial(_history, _HISTORY)),
    ("GET", f"{_TRADE}/orders-history-archive"): _read(partial(_history, _ARCHIVE)),
    ("GET", f"{_TRADE}/fills"): _read(partial(_fills, _FILLS)),
    ("GET", f"{_TRADE}/fills-history"): _read(partial(_fills, _FILLS_HISTORY)),
}
