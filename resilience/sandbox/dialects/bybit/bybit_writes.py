"""Defines Bybit's routes that write orders: one at a time, or several in one request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from ...exchange.order_rules import PRICES, clean_params, positive_number
from ...exchange.order_store import Market, Order, RefusedError
from ...rest.endpoint import Endpoint, HttpRequest, RequestContext
from ..order_view import find_order, given_id, list_orders
from ..translation import translated
from .bybit_answers import FAULTS, LINEAR_REFUSALS, SPOT_REFUSALS, BatchResult, format_reply, refused

__all__ = ["MARKETS", "ROUTES", "find_named", "market_of", "named_id_of"]

MARKETS = {
    "spot": Market("spot", ("170141", "Duplicate clientOrderId"), ("170213", "Order does not exist.")),
    "linear": Market(
        "linear", ("110072", "OrderLinkedID is duplicate"), ("110001", "order not exists or too late to cancel")
    ),
}
"""The market of each category that is spoken."""
_REFUSALS = {"spot": SPOT_REFUSALS, "linear": LINEAR_REFUSALS}
_ID = re.compile(r"[A-Za-z0-9_-]{1,36}", re.ASCII)
_FORCES = {"GTC": "gtc", "IOC": "ioc", "FOK": "fok", "PostOnly": "post_only"}
_MAX_ITEMS = {"spot": 10, "linear": 20}
Write = Callable[[RequestContext, Mapping[str, Any]], Order]


def named_id_of(request: HttpRequest) -> str:
    """Return the client id, or else the order id, of the first order that a request names."""
    first = next(iter(_items(request)), {})
    return str(first.get("orderLinkId") or first.get("orderId") or "")


def _items(request: HttpRequest) -> list[Mapping[str, Any]]:
    """Return the orders of a request; each of a batch has the category of the whole."""
    orders = request.params.get("request", [request.params])
    category = request.params.get("category")
    rows = orders if isinstance(orders, list) else []
    return [clean_params({**one, "category": category}) if isinstance(one, dict) else {} for one in rows]


def market_of(params: Mapping[str, Any]) -> Market:
    """Return the market of a request's category.

    Raises:
        RefusedError: the category is missing, or not spoken here.
    """
    market = MARKETS.get(str(params.get("category")))
    if market is None:
        raise refused(10001, "params error: Category is invalid")
    return market


def _require(params: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if params.get(name) in (None, ""):
            raise refused(10001, f"params error: {name} is required")


def _order_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the order that a request describes, in the words of the exchange's own rules."""
    _require(params, "symbol", "side", "orderType", "qty")
    kind = str(params["orderType"])
    if kind not in ("Market", "Limit") or params["side"] not in ("Buy", "Sell"):
        raise refused(10001, "params error: side or orderType invalid")
    client_id = params.get("orderLinkId") or None
    if client_id is not None and not _ID.fullmatch(str(client_id)):
        raise refused(10001, "params error: OrderLinkId invalid")
    force = str(params.get("timeInForce") or "GTC")
    if force not in _FORCES:
        raise refused(10001, "params error: timeInForce invalid")
    return {
        **{name: params.get(name) for name in ("category", "reduceOnly", "marketUnit")},
        "symbol": params["symbol"],
        "side": str(params["side"]).lower(),
        "orderType": kind.lower(),
        "force": _FORCES[force],
        "qty": params["qty"],
        "size": _size_of(params) if kind == "Market" and params["category"] == "spot" else params["qty"],
        "price": params.get("price") if kind == "Limit" else None,
        "clientOid": client_id,
    }


def _size_of(params: Mapping[str, Any]) -> str:
    """Return the size of a spot market order in base coins; that of a buy is in the quote coin by default."""
    default = "quoteCoin" if params["side"] == "Buy" else "baseCoin"
    if (params.get("marketUnit") or default) == "baseCoin":
        return str(params["qty"])
    try:
        return f"{Decimal(str(params['qty'])) / PRICES.get(str(params['symbol']), Decimal(1)):.8f}"
    except InvalidOperation:
        raise refused(10001, "params error: qty invalid") from None


def _place(context: RequestContext, params: Mapping[str, Any]) -> Order:
    market = market_of(params)
    return context.exchange.place(market, _order_params(params), context.now, context.lag)


def find_named(context: RequestContext, params: Mapping[str, Any]) -> Order | None:
    """Return the order that a request names; the order id wins if both ids are there."""
    order_id, client_id = str(params.get("orderId") or ""), str(params.get("orderLinkId") or "")
    if not order_id and not client_id:
        raise refused(10001, "params error: orderId or orderLinkId is required")
    order = find_order(context, market_of(params), order_id, client_id)
    symbol = params.get("symbol")
    return order if order is None or symbol in (None, "", order.params["symbol"]) else None


def _find_live(context: RequestContext, params: Mapping[str, Any]) -> Order:
    market = market_of(params)
    _require(params, "symbol")
    order = find_named(context, params)
    if order is None:
        raise RefusedError(*market.not_found)
    if order.status != "live":
        filled = market.name == "spot" and order.status == "filled"
        raise refused(170139, "Order has been filled.") if filled else RefusedError("22001", "")
    return order


def _cancel(context: RequestContext, params: Mapping[str, Any]) -> Order:
    order = _find_live(context, params)
    context.exchange.orders.cancel(order, context.now, context.lag)
    return order


def _amend(context: RequestContext, params: Mapping[str, Any]) -> Order:
    """Change an order in place: it keeps both its ids, and fields that are left out stay."""
    order = _find_live(context, params)
    names = {"qty": ("size", "qty"), "price": ("price",)}
    change = {target: str(params[name]) for name, targets in names.items() if params.get(name) for target in targets}
    if not change:
        raise refused(10001, "The order remains unchanged as the parameters entered match the existing ones.")
    for name in change:
        positive_number(change, name)
    checked = context.exchange.check_order(order.market, {**order.params, **change})
    context.exchange.orders.amend(order, {name: checked[name] for name in change}, context.now)
    return order


def _ids(order: Order) -> dict[str, str]:
    return {"orderId": order.order_id, "orderLinkId": given_id(order)}


def _write(write: Write, context: RequestContext, params: Mapping[str, Any]) -> Order:
    refusals = _REFUSALS.get(str(params.get("category")), LINEAR_REFUSALS)
    return translated(write, refusals, 200)(context, params)  # type: ignore[no-any-return]


def _single(write: Write, context: RequestContext) -> Any:
    try:
        return _ids(_write(write, context, clean_params(context.params)))
    except RefusedError as error:
        # The store's refusals, such as that of a duplicate id, have another status than Bybit's.
        raise RefusedError(error.code, error.message, 200) from None


def _batch(write: Write, context: RequestContext) -> BatchResult:
    """Write several orders; the answer is a success even when all of them fail."""
    items, market = _items(context.request), market_of(context.params)
    if not 0 < len(items) <= _MAX_ITEMS[market.name]:
        raise refused(10001, "params error: the number of orders is invalid")
    result = BatchResult([], [])
    for params in items:
        row = {"category": market.name, "symbol": str(params.get("symbol", ""))}
        try:
            order = _write(write, context, params)
        except RefusedError as error:
            ids = {"orderId": "", "orderLinkId": str(params.get("orderLinkId") or "")}
            result.orders.append({**row, **ids, "createAt": ""})
            result.codes.append({"code": int(error.code), "msg": error.message})
        else:
            result.orders.append({**row, **_ids(order), "createAt": str(int(order.created * 1000))})
            result.codes.append({"code": 0, "msg": "OK"})
    return result


def _cancel_all(context: RequestContext) -> Any:
    params = clean_params(context.params)
    market, symbol = market_of(params), params.get("symbol")
    live = [one.order for one in list_orders(context, market, symbol, "live")]
    for order in live:
        context.exchange.orders.cancel(order, context.now)
    return {"list": [_ids(order) for order in live], "success": "1"}


def _endpoint(route: Callable[[RequestContext], Any], kind: str) -> Endpoint:
    return Endpoint(route=route, kind=kind, key=named_id_of, format_reply=format_reply, fault_answers=FAULTS)


ROUTES = {
    **{
        ("POST", f"/v5/order/{name}{end}"): _endpoint(partial(many, write), kind)
        for name, write, kind in (
            ("create", _place, "place"),
            ("amend", _amend, "amend"),
            ("cancel", _cancel, "cancel"),
        )
        for end, many in (("", _single), ("-batch", _batch))
    },
    ("POST", "/v5/order/cancel-all"): Endpoint(route=_cancel_all, format_reply=format_reply),
}
