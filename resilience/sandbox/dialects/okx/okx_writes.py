"""Defines OKX's routes that write orders: one at a time, or several in one request."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ...exchange.order_rules import PRICES, positive_number
from ...exchange.order_store import Market, Order
from ...rest.endpoint import RequestContext
from ..order_view import find_order
from .okx_answers import refused
from .okx_items import write_endpoint
from .okx_requests import check_instrument, check_shape, order_fields, require

__all__ = ["GONE", "MARKET", "ROUTES", "find_named"]

GONE = "Order cancellation failed as the order has been filled, canceled or does not exist."
# Client ids are unique across the instruments, so spot and swaps are one market here.
MARKET = Market("spot", ("51016", "Client order ID already exists."), ("51400", GONE))
_FORCES = {"limit": "gtc", "post_only": "post_only", "ioc": "ioc", "fok": "fok"}
_TRADE = "/api/v5/trade"


def _order_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the order that a request describes, in the words of the exchange's own rules."""
    require(params, "tdMode", "side", "ordType", "sz")
    fields, order_type = order_fields(params), params["ordType"]
    is_market = order_type in ("market", "optimal_limit_ioc")
    if not is_market and order_type not in _FORCES:
        raise refused("51000", "Parameter ordType error")
    check_shape(params, "clOrdId")
    return {
        **fields,
        "orderType": "market" if is_market else "limit",
        "force": _FORCES.get(order_type),
        "size": params["sz"] if fields["unit"] or not is_market else _size_of(params, fields["symbol"]),
        "price": None if is_market else params.get("px"),
        "clientOid": params.get("clOrdId") or None,
    }


def _size_of(params: Mapping[str, Any], symbol: str) -> str:
    """Return the size of a spot market order in base coins; that of a buy is in the quote coin by default."""
    default = "quote_ccy" if params["side"] == "buy" else "base_ccy"
    if (params.get("tgtCcy") or default) == "base_ccy":
        return str(params["sz"])
    try:
        return f"{Decimal(str(params['sz'])) / PRICES[symbol]:.8f}"
    except InvalidOperation:
        raise refused("51000", "Parameter sz error") from None


def _place(context: RequestContext, params: Mapping[str, Any]) -> Order:
    return context.exchange.place(MARKET, _order_params(params), context.now, context.lag)


def find_named(context: RequestContext, params: Mapping[str, Any]) -> Order | None:
    """Return the order that a request names; the order id wins if both ids are there."""
    check_instrument(params)
    order_id, client_id = str(params.get("ordId") or ""), str(params.get("clOrdId") or "")
    if not order_id and not client_id:
        raise refused("50014", "Parameter ordId or clOrdId can not be empty.", 400)
    order = find_order(context, MARKET, order_id, client_id)
    named = order.params.get("instId", params["instId"]) if order else None
    return order if named == params["instId"] else None


def _cancel(context: RequestContext, params: Mapping[str, Any]) -> Order:
    order = find_named(context, params)
    if order is None or order.status != "live":
        raise refused(*MARKET.not_found)
    context.exchange.orders.cancel(order, context.now, context.lag)
    return order


def _amend(context: RequestContext, params: Mapping[str, Any]) -> Order:
    """Change an order in place; it keeps both its ids."""
    order = find_named(context, params)
    if order is None or order.status != "live":
        raise refused("51503", "Order modification failed as the order has been filled, canceled or does not exist.")
    names = {"newSz": ("size", "sz"), "newPx": ("price",)}
    change = {target: str(params[name]) for name, targets in names.items() if params.get(name) for target in targets}
    if not change:
        raise refused("50014", "Parameter newSz or newPx can not be empty.", 400)
    for name in change:
        positive_number(change, name)
    checked = context.exchange.check_order(MARKET, {**order.params, **change})
    context.exchange.orders.amend(order, {name: checked[name] for name in change}, context.now)
    return order


ROUTES = {
    ("POST", f"{_TRADE}/order"): write_endpoint(_place, "place"),
    ("POST", f"{_TRADE}/batch-orders"): write_endpoint(_place, "place"),
    ("POST", f"{_TRADE}/cancel-order"): write_endpoint(_cancel, "cancel"),
    ("POST", f"{_TRADE}/cancel-batch-orders"): write_endpoint(_cancel, "cancel"),
    ("POST", f"{_TRADE}/amend-order"): write_endpoint(_amend, "amend"),
    ("POST", f"{_TRADE}/amend-batch-orders"): write_endpoint(_amend, "amend"),
}
