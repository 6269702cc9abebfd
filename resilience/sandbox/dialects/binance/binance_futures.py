"""Defines the routes of Binance's USD-M futures orders, which can be changed in place and sent in batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ...exchange.order_rules import clean_params, positive_number
from ...exchange.order_store import Market, Order, RefusedError
from ...rest.endpoint import Endpoint, HttpRequest, RequestContext
from ..order_view import remembers, view
from ..translation import translated
from .binance_answers import FUTURES_FAULTS, FUTURES_REFUSALS, format_reply, require_sent
from .binance_orders import (
    check_client_id,
    find_named,
    list_named,
    new_client_id_of,
    order_params,
    place,
    queried_id_of,
)
from .binance_rows import futures_row, futures_trade

__all__ = ["MARKET", "ROUTES"]

MARKET = Market("swap", ("-4116", "ClientOrderId is duplicated."), ("-2011", "Unknown order sent."))
_SHAPE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
_WOULD_TAKE = ("-5022", "Due to the order could not be executed as maker, the Post Only order will be rejected.")
_DAYS = 86400.0
_UNFILLED, _ENDED = 3 * _DAYS, 90 * _DAYS
"""Seconds after which orders are not found any more: cancelled without a fill, and others that have ended."""
_MAX_PLACED, _MAX_CANCELLED = 5, 10
_PATH = "/fapi/v1"


def _row(order: Order, when: float) -> dict[str, Any]:
    return futures_row(view(order, when))


def _place_order(context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
    check_client_id(params, _SHAPE)
    if str(params.get("type", "")).upper() not in ("LIMIT", "MARKET"):
        text = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
        raise RefusedError("-4120", text)
    row = _row(place(context, MARKET, order_params(params), _WOULD_TAKE), context.now)
    # The answer to a placement has only the time of the update.
    return {name: value for name, value in row.items() if name != "time"}


def _place(context: RequestContext) -> Any:
    return _place_order(context, context.params)


def _cancel(context: RequestContext) -> Any:
    order = find_named(context, MARKET)
    if order is None:
        raise RefusedError(*MARKET.not_found)
    context.exchange.orders.cancel(order, context.now, context.lag)
    return {**_row(order, context.now), "status": "CANCELED"}


def _cancel_all(context: RequestContext) -> Any:
    require_sent(context.params, "symbol")
    for one in list_named(context, MARKET, "live"):
        context.exchange.orders.cancel(one.order, context.now)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _modify(context: RequestContext) -> Any:
    """Change size and price of a limit order in place; `origClientOrderId` names the order, it is no new id."""
    params = context.params
    require_sent(params, "side", "quantity", "price")
    order = find_named(context, MARKET)
    if order is None or order.status != "live":
        raise RefusedError("-2013", "Order does not exist.")
    change = {"size": str(params["quantity"]), "price": str(params["price"])}
    if all(positive_number(change, name) == positive_number(order.params, name) for name in change):
        raise RefusedError("-5027", "No need to modify the order.")
    checked = context.exchange.check_order(MARKET, {**order.params, **change})
    context.exchange.orders.amend(order, {name: checked[name] for name in change}, context.now)
    return _row(order, context.now)


def _find(context: RequestContext) -> Order:
    order = find_named(context, MARKET)
    scale = context.exchange.time_scale
    if order is None or not remembers(order, context.now, scale, unfilled=_UNFILLED, ended=_ENDED):
        raise RefusedError("-2013", "Order does not exist.")
    return order


def _query(context: RequestContext) -> Any:
    return _row(_find(context), context.as_of)


def _open_order(context: RequestContext) -> Any:
    """Return an open order; one that was filled or cancelled does not exist for this endpoint."""
    order = _find(context)
    if order.status_at(context.as_of) != "live":
        raise RefusedError("-2013", "Order does not exist.")
    return _row(order, context.as_of)


def _open_orders(context: RequestContext) -> Any:
    return [futures_row(one) for one in list_named(context, MARKET, "live")]


def _all_orders(context: RequestContext) -> Any:
    require_sent(context.params, "symbol")
    scale = context.exchange.time_scale
    return [
        futures_row(one)
        for one in list_named(context, MARKET, "live", "filled", "cancelled")
        if remembers(one.order, context.now, scale, unfilled=_UNFILLED, ended=_ENDED)
    ]


def _trades(context: RequestContext) -> Any:
    return [futures_trade(one) for one in list_named(context, MARKET, "filled")]


def _list_of(params: Mapping[str, Any], name: str, most: int) -> list[Any]:
    try:
        items = json.loads(str(params.get(name) or "[]"))
    except ValueError:
        items = None
    if not isinstance(items, list) or not 0 < len(items) <= most:
        raise RefusedError("-4082", "Invalid number of batch place orders.")
    return items


def _each(call: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """Return the answer of each item: an order, or a code and a message; the items do not depend on each other."""
    answers = []
    for one in items:
        try:
            answers.append(translated(call, FUTURES_REFUSALS)(one))
        except RefusedError as error:
            answers.append({"code": int(error.code), "msg": error.message})
    return answers


def _batch(context: RequestContext) -> Any:
    items = _list_of(context.params, "batchOrders", _MAX_PLACED)
    return _each(lambda one: _place_order(context, clean_params(one) if isinstance(one, dict) else {}), items)


def _modify_batch(context: RequestContext) -> Any:
    request = context.request

    def modify(one: Any) -> Any:
        fields = clean_params(one) if isinstance(one, dict) else {}
        single = HttpRequest(request.method, request.path, request.query, request.body, fields, request.headers)
        return _modify(context._replace(request=single))

    return _each(modify, _list_of(context.params, "batchOrders", _MAX_PLACED))


def _cancel_batch(context: RequestContext) -> Any:
    params, request = context.params, context.request
    require_sent(params, "symbol")
    lists = (("origclientorderidlist", "origClientOrderId"), ("orderidlist", "orderId"))
    name, key = next((pair for pair in lists if params.get(pair[0])), lists[1])

    def cancel(one: Any) -> Any:
        ids = {"symbol": params["symbol"], key: str(one)}
        single = HttpRequest(request.method, request.path, request.query, request.body, ids, request.headers)
        return _cancel(context._replace(request=single))

    return _each(cancel, _list_of(params, name, _MAX_CANCELLED))


def _first_id_of(request: HttpRequest) -> str:
    """Return the client id of the first order of a batch."""
    try:
        first = _list_of(request.params, "batchOrders", _MAX_PLACED)[0]
    except RefusedError:
        return ""
    return str(first.get("newClientOrderId") or "") if isinstance(first, dict) else ""


def _endpoint(route: Any, **settings: Any) -> Endpoint:
    spoken = translated(route, FUTURES_REFUSALS)
    return Endpoint(route=spoken, format_reply=format_reply, fault_answers=FUTURES_FAULTS, **settings)


ROUTES = {
    ("POST", f"{_PATH}/order"): _endpoint(_place, kind="place", key=new_client_id_of),
    ("PUT", f"{_PATH}/order"): _endpoint(_modify, kind="amend", key=queried_id_of),
    ("DELETE", f"{_PATH}/order"): _endpoint(_cancel, kind="cancel", key=queried_id_of),
    ("GET", f"{_PATH}/order"): _endpoint(_query, kind="query", key=queried_id_of),
    ("GET", f"{_PATH}/openOrder"): _endpoint(_open_order, kind="query", key=queried_id_of),
    ("POST", f"{_PATH}/batchOrders"): _endpoint(_batch, kind="place", key=_first_id_of),
    ("PUT", f"{_PATH}/batchOrders"): _endpoint(_modify_batch),
    ("DELETE", f"{_PATH}/batchOrders"): _endpoint(_cancel_batch),
    ("DELETE", f"{_PATH}/allOpenOrders"): _endpoint(_cancel_all),
    ("GET", f"{_PATH}/openOrders"): _endpoint(_open_orders),
    ("GET", f"{_PATH}/allOrders"): _endpoint(_all_orders),
    ("GET", f"{_PATH}/userTrades"): _endpoint(_trades),
}
