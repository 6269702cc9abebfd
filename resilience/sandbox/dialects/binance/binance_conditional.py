"""Defines the routes of Binance's conditional USD-M orders, which the other endpoints of orders do not know.

Prices never move here, so that such an order waits until it is cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...exchange.order_store import Market, Order, RefusedError
from ...rest.endpoint import Endpoint, HttpRequest, RequestContext
from ..order_view import OrderView, find_order, list_orders, remembers, view
from ..translation import translated
from .binance_answers import FUTURES_FAULTS, FUTURES_REFUSALS, format_reply, require_sent
from .binance_orders import check_client_id

__all__ = ["MARKET", "ROUTES", "TYPES"]

# The code of a duplicate id is not documented; that of other futures orders is the nearest.
MARKET = Market("conditional", ("-4116", "ClientOrderId is duplicated."), ("-2011", "Unknown order sent."))
TYPES = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET")
_SHAPE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
_DAYS = 86400.0
_UNFILLED, _ENDED = 3 * _DAYS, 90 * _DAYS
_PATH = "/fapi/v1"
_STATUSES = {"live": "NEW", "filled": "FINISHED", "cancelled": "CANCELED"}


def _named_id_of(request: HttpRequest) -> str:
    return str(request.params.get("clientAlgoId") or request.params.get("algoId") or "")


def _place(context: RequestContext) -> Any:
    params = context.params
    require_sent(params, "symbol", "side", "type", "triggerPrice", "quantity")
    check_client_id({"newClientOrderId": params.get("clientAlgoId")}, _SHAPE)
    if str(params["type"]).upper() not in TYPES:
        raise RefusedError("-1116", "Invalid orderType.")
    order = {
        "symbol": params["symbol"],
        "side": str(params["side"]).lower(),
        "orderType": "limit",
        "size": params["quantity"],
        # Its value is checked by the price that it waits for, if it has none of its own.
        "price": params.get("price") or params["triggerPrice"],
        "clientOid": params.get("clientAlgoId") or None,
        "type": str(params["type"]).upper(),
        "triggerPrice": params["triggerPrice"],
        "limitPrice": params.get("price"),
        "reduceOnly": params.get("reduceOnly"),
    }
    placed = context.exchange.place(MARKET, order, context.now, context.lag)
    return _row(view(placed, context.now))


def _row(shown: OrderView) -> dict[str, Any]:
    params = shown.order.params
    return {
        "algoId": int(shown.order.order_id),
        "clientAlgoId": shown.order.client_id,
        "algoType": "CONDITIONAL",
        "orderType": params.get("type", "STOP_MARKET"),
        "symbol": params["symbol"],
        "side": params["side"].upper(),
        "positionSide": "BOTH",
        "timeInForce": "GTC",
        "quantity": params["size"],
        "algoStatus": _STATUSES[shown.status],
        "triggerPrice": params.get("triggerPrice", ""),
        "price": params.get("limitPrice", "0"),
        "actualOrderId": "",
        "actualPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "closePosition": False,
        "reduceOnly": params.get("reduceOnly", "false").lower() == "true",
        "createTime": shown.created,
        "updateTime": shown.updated,
        "triggerTime": 0,
    }


def _named(context: RequestContext) -> Order | None:
    params: Mapping[str, Any] = context.params
    if not _named_id_of(context.request):
        raise RefusedError("-1102", "Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!")
    return find_order(context, MARKET, str(params.get("algoId") or ""), str(params.get("clientAlgoId") or ""))


def _cancel(context: RequestContext) -> Any:
    order = _named(context)
    if order is None:
        raise RefusedError(*MARKET.not_found)
    context.exchange.orders.cancel(order, context.now, context.lag)
    ids = {"algoId": int(order.order_id), "clientAlgoId": order.client_id}
    return {**ids, "code": "200", "msg": "success"}


def _query(context: RequestContext) -> Any:
    order = _named(context)
    scale = context.exchange.time_scale
    if order is None or not remembers(order, context.now, scale, unfilled=_UNFILLED, ended=_ENDED):
        raise RefusedError("-2013", "Order does not exist.")
    return _row(view(order, context.as_of))


def _open(context: RequestContext) -> Any:
    return [_row(one) for one in list_orders(context, MARKET, context.params.get("symbol"), "live")[::-1]]


def _all(context: RequestContext) -> Any:
    require_sent(context.params, "symbol")
    rows = list_orders(context, MARKET, context.params["symbol"], "live", "filled", "cancelled")
    return [_row(one) for one in rows[::-1]]


def _endpoint(route: Any, **settings: Any) -> Endpoint:
    spoken = translated(route, FUTURES_REFUSALS)
    return Endpoint(route=spoken, key=_named_id_of, format_reply=format_reply, fault_answers=FUTURES_FAULTS, **settings)


ROUTES = {
    ("POST", f"{_PATH}/algoOrder"): _endpoint(_place, kind="place"),
    ("DELETE", f"{_PATH}/algoOrder"): _endpoint(_cancel, kind="cancel"),
    ("GET", f"{_PATH}/algoOrder"): _endpoint(_query, kind="query"),
    ("GET", f"{_PATH}/openAlgoOrders"): _endpoint(_open),
    ("GET", f"{_PATH}/allAlgoOrders"): _endpoint(_all),
}
