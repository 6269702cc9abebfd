"""Defines OKX's routes of conditional orders, which have ids of their own and are unknown to those of other orders.

Prices never move here, so that such an order waits until it is cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...exchange.order_rules import clean_params
from ...exchange.order_store import Market, Order
from ...rest.endpoint import Endpoint, RequestContext
from ..order_view import OrderView, find_order, given_id, list_orders, remembers, view
from .okx_answers import format_reply, refused
from .okx_instruments import INSTRUMENTS
from .okx_items import write_endpoint
from .okx_requests import check_shape, named_id_of, order_fields, require
from .okx_writes import GONE

__all__ = ["MARKET", "ROUTES"]

MARKET = Market("conditional", ("51065", "algoClOrdId already exists."), ("51400", GONE))
_TYPES = ("conditional", "trigger")
_TRIGGERS = ("triggerPx", "slTriggerPx", "tpTriggerPx")
_HOURS = 3600.0
_STATES = {"live": "live", "filled": "effective", "cancelled": "canceled"}
_TRADE = "/api/v5/trade"


def _place(context: RequestContext, params: Mapping[str, Any]) -> Order:
    require(params, "tdMode", "side", "ordType", "sz")
    if params["ordType"] not in _TYPES:
        raise refused("51000", "Parameter ordType error")
    triggers = {name: params[name] for name in _TRIGGERS if params.get(name)}
    if not triggers:
        raise refused("50014", "Parameter triggerPx can not be empty.", 400)
    check_shape(params, "algoClOrdId")
    order = {
        **order_fields(params),
        **triggers,
        "orderType": "limit",
        "size": params["sz"],
        # Its value is checked by the price that it waits for.
        "price": next(iter(triggers.values())),
        "clientOid": params.get("algoClOrdId") or None,
    }
    return context.exchange.place(MARKET, order, context.now, context.lag)


def _cancel(context: RequestContext, params: Mapping[str, Any]) -> Order:
    order = _find(context, params)
    if order is None or order.status != "live":
        raise refused(*MARKET.not_found)
    context.exchange.orders.cancel(order, context.now, context.lag)
    return order


def _find(context: RequestContext, params: Mapping[str, Any]) -> Order | None:
    order_id, client_id = str(params.get("algoId") or ""), str(params.get("algoClOrdId") or "")
    if not order_id and not client_id:
        raise refused("50014", "Parameter algoId or algoClOrdId can not be empty.", 400)
    return find_order(context, MARKET, order_id, client_id)


def _query(context: RequestContext) -> Any:
    order = _find(context, context.params)
    # For how long it serves orders that have ended is not documented; two hours is what other orders have.
    hours = {"unfilled": 2 * _HOURS, "ended": 2 * _HOURS}
    if order is None or not remembers(order, context.now, context.exchange.time_scale, **hours):
        raise refused("51603", "Order does not exist")
    return [_row(view(order, context.as_of))]


def _pending(context: RequestContext) -> Any:
    params = clean_params(context.params)
    wanted = {name: params[name] for name in ("ordType", "instId", "instType") if params.get(name)}
    rows = [_row(one) for one in list_orders(context, MARKET, None, "live")]
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _row(shown: OrderView) -> dict[str, Any]:
    params = shown.order.params
    instrument = params.get("instId", params["symbol"].removesuffix("USDT") + "-USDT")
    return {
        **{name: params.get(name, "") for name in (*_TRIGGERS, "slOrdPx", "tpOrdPx", "ordPx", "tgtCcy", "tag")},
        "algoId": shown.order.order_id,
        "algoClOrdId": given_id(shown.order),
        "clOrdId": "",
        "ordId": "",
        "instId": instrument,
        "instType": INSTRUMENTS.get(instrument, ("SPOT", ""))[0],
        "ordType": params.get("ordType", "conditional"),
        "side": params["side"],
        "posSide": params.get("posSide", "net"),
        "tdMode": params.get("tdMode", "cash"),
        "sz": params["size"],
        "actualSz": "0",
        "actualPx": "",
        "state": _STATES[shown.status],
        "cTime": str(shown.created),
        "uTime": str(shown.updated),
        "triggerTime": "",
    }


_IDS = ("algoId", "algoClOrdId")
ROUTES = {
    ("POST", f"{_TRADE}/order-algo"): write_endpoint(_place, "place", _IDS),
    ("POST", f"{_TRADE}/cancel-algos"): write_endpoint(_cancel, "cancel", _IDS),
    ("GET", f"{_TRADE}/order-algo"): Endpoint(route=_query, kind="query", key=named_id_of, format_reply=format_reply),
    ("GET", f"{_TRADE}/orders-algo-pending"): Endpoint(route=_pending, format_reply=format_reply),
}
