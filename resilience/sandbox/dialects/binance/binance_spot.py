"""Defines the routes of Binance's spot orders."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...exchange.order_store import Market, Order, RefusedError
from ...rest.answers import Reply
from ...rest.endpoint import Endpoint, HttpRequest, RequestContext
from ..order_view import remembers, view
from ..translation import translated
from .binance_answers import REFUSALS, SPOT_FAULTS, format_reply, reply_of, require_sent
from .binance_orders import (
    check_client_id,
    find_named,
    list_named,
    new_client_id_of,
    order_params,
    place,
    queried_id_of,
)
from .binance_rows import spot_fills, spot_row, spot_trade

__all__ = ["MARKET", "ROUTES"]

MARKET = Market("spot", ("-2010", "Duplicate order sent."), ("-2011", "Unknown order sent."))
_SHAPE = "^[a-zA-Z0-9-_]{1,36}$"
_WOULD_TAKE = ("-2010", "Order would immediately match and take.")
_ARCHIVED_AFTER = 90 * 86400.0
"""Seconds after which an order that was cancelled without a fill is not found any more."""


def _place(context: RequestContext) -> Any:
    check_client_id(context.params, _SHAPE)
    order = place(context, MARKET, order_params(context.params), _WOULD_TAKE)
    return _placed_row(order, context, str(context.params.get("newOrderRespType", "FULL")))


def _placed_row(order: Order, context: RequestContext, kind: str) -> dict[str, Any]:
    shown = view(order, context.now)
    row = {**spot_row(shown), "transactTime": shown.created}
    if kind == "ACK":
        names = ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
        return {name: row[name] for name in names}
    # The answer to a placement has only the time at which it was done.
    row = {name: value for name, value in row.items() if name not in ("time", "updateTime", "isWorking")}
    return {**row, "fills": spot_fills(shown)} if kind == "FULL" else row


def _test(context: RequestContext) -> Any:
    check_client_id(context.params, _SHAPE)
    context.exchange.check_order(MARKET, order_params(context.params))
    return {}


def _cancel(context: RequestContext) -> Any:
    order = find_named(context, MARKET)
    if order is None:
        raise RefusedError(*MARKET.not_found)
    return _cancel_order(order, context)


def _cancel_order(order: Order, context: RequestContext) -> dict[str, Any]:
    """Cancel an order; in the answer `clientOrderId` names the cancel, and the order's own id is the original one."""
    context.exchange.orders.cancel(order, context.now, context.lag)
    row = {**spot_row(view(order, context.now)), "status": "CANCELED", "transactTime": int(context.now * 1000)}
    name = context.params.get("newClientOrderId") or f"cancel-{order.order_id}"
    return {**row, "origClientOrderId": order.client_id, "clientOrderId": name}


def _cancel_all(context: RequestContext) -> Any:
    require_sent(context.params, "symbol")
    live = list_named(context, MARKET, "live")
    if not live:
        raise RefusedError(*MARKET.not_found)
    return [_cancel_order(one.order, context) for one in live]


def _replace(context: RequestContext) -> Any:
    """Cancel an order, and place a new one after it; either may fail alone."""
    params = context.params
    require_sent(params, "symbol", "side", "type", "cancelReplaceMode")
    check_client_id(params, _SHAPE)
    if not params.get("cancelOrderId") and not params.get("cancelOrigClientOrderId"):
        raise RefusedError("-1102", "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent.")
    ids = {"orderId": params.get("cancelOrderId"), "origClientOrderId": params.get("cancelOrigClientOrderId")}
    named = context._replace(request=_with_params(context.request, {"symbol": params["symbol"], **ids}))
    # One lock for both steps: no other request may see the state between them.
    with context.exchange.orders.lock:
        cancelled, cancel = _attempt(partial(_cancel, named))
        if not cancelled and params["cancelReplaceMode"] != "ALLOW_FAILURE":
            return _replace_failure("-2022", "FAILURE", "NOT_ATTEMPTED", cancel, None)
        placed, order = _attempt(partial(_place, context))
    if cancelled and placed:
        results = {"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS"}
        return {**results, "cancelResponse": cancel, "newOrderResponse": order}
    code = "-2021" if cancelled or placed else "-2022"
    words = {True: "SUCCESS", False: "FAILURE"}
    return _replace_failure(code, words[cancelled], words[placed], cancel, order)


def _with_params(request: HttpRequest, params: dict[str, Any]) -> HttpRequest:
    headers = request.headers
    return HttpRequest(request.method, request.path, request.query, request.body, params, headers)


def _attempt(step: partial[Any]) -> tuple[bool, Any]:
    """Return whether a step succeeded, and its answer or its refusal."""
    try:
        return True, translated(step, REFUSALS)()
    except RefusedError as error:
        return False, {"code": int(error.code), "msg": error.message}


def _replace_failure(code: str, cancel_result: str, order_result: str, cancel: Any, order: Any) -> Reply:
    partial_failure = code == "-2021"
    text = "Order cancel-replace partially failed." if partial_failure else "Order cancel-replace failed."
    results = {"cancelResult": cancel_result, "newOrderResult": order_result}
    body = {"code": int(code), "msg": text, "data": {**results, "cancelResponse": cancel, "newOrderResponse": order}}
    return reply_of(body, 409 if partial_failure else 400)


def _query(context: RequestContext) -> Any:
    order = find_named(context, MARKET)
    if order is None:
        raise RefusedError("-2013", "Order does not exist.")
    scale = context.exchange.time_scale
    if not remembers(order, context.now, scale, unfilled=_ARCHIVED_AFTER, ended=float("inf")):
        text = "Order was canceled or expired with no executed qty over 90 days ago and has been archived."
        raise RefusedError("-2026", text)
    return spot_row(view(order, context.as_of))


def _open_orders(context: RequestContext) -> Any:
    return [spot_row(one) for one in list_named(context, MARKET, "live")]


def _all_orders(context: RequestContext) -> Any:
    require_sent(context.params, "symbol")
    return [spot_row(one) for one in list_named(context, MARKET, "live", "filled", "cancelled")]


def _trades(context: RequestContext) -> Any:
    require_sent(context.params, "symbol")
    return [spot_trade(one) for one in list_named(context, MARKET, "filled")]


def _endpoint(route: Any, **settings: Any) -> Endpoint:
    return Endpoint(route=translated(route, REFUSALS), format_reply=format_reply, fault_answers=SPOT_FAULTS, **settings)


ROUTES = {
    ("POST", "/api/v3/order"): _endpoint(_place, kind="place", key=new_client_id_of),
    ("POST", "/api/v3/order/test"): _endpoint(_test),
    ("POST", "/api/v3/order/cancelReplace"): _endpoint(_replace, kind="place", key=new_client_id_of),
    ("DELETE", "/api/v3/order"): _endpoint(_cancel, kind="cancel", key=queried_id_of),
    ("DELETE", "/api/v3/openOrders"): _endpoint(_cancel_all),
    ("GET", "/api/v3/order"): _endpoint(_query, kind="query", key=queried_id_of),
    ("GET", "/api/v3/openOrders"): _endpoint(_open_orders),
    ("GET", "/api/v3/allOrders"): _endpoint(_all_orders),
    ("GET", "/api/v3/myTrades"): _endpoint(_trades),
}
