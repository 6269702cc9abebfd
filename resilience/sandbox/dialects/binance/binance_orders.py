"""Reads Binance's order requests: which order they describe or name, and whether their client id is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ...exchange.order_rules import PRICES
from ...exchange.order_store import Market, Order, RefusedError
from ...rest.endpoint import HttpRequest, RequestContext
from ..order_view import OrderView, find_order, list_orders
from .binance_answers import require_sent

__all__ = ["check_client_id", "find_named", "list_named", "new_client_id_of", "order_params", "place", "queried_id_of"]

_FORCES = {"GTC": "gtc", "IOC": "ioc", "FOK": "fok", "GTX": "post_only"}


def new_client_id_of(request: HttpRequest) -> str:
    """Return the client id of a new order, or an empty string."""
    return str(request.params.get("newClientOrderId") or "")


def queried_id_of(request: HttpRequest) -> str:
    """Return the client id of the order that a query names, or else its order id."""
    return str(request.params.get("origClientOrderId") or request.params.get("orderId") or "")


def check_client_id(params: Mapping[str, Any], shape: str, code: str = "-1100") -> None:
    """Refuse a client id of the wrong shape.

    Raises:
        RefusedError: it has other characters, or too many.
    """
    client_id = params.get("newClientOrderId")
    if client_id not in (None, "") and not re.fullmatch(shape, str(client_id), re.ASCII):
        text = f"Illegal characters found in parameter 'newClientOrderId'; legal range is '{shape}'."
        raise RefusedError(code, text)


def order_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the order that a request describes, in the words of the exchange's own rules.

    Raises:
        RefusedError: a parameter is missing, or the type of the order does not exist here.
    """
    require_sent(params, "symbol", "side", "type")
    kind = str(params["type"]).upper()
    if kind not in ("LIMIT", "MARKET", "LIMIT_MAKER"):
        raise RefusedError("-1116", "Invalid orderType.")
    force = "post_only" if kind == "LIMIT_MAKER" else None
    if kind == "LIMIT":
        require_sent(params, "timeInForce", "price", "quantity")
        force = _FORCES.get(str(params["timeInForce"]).upper())
        if force is None:
            raise RefusedError("-1115", "Invalid timeInForce.")
    return {
        "symbol": params["symbol"],
        "side": str(params["side"]).lower(),
        "orderType": "market" if kind == "MARKET" else "limit",
        "force": force,
        "size": _size_of(params),
        "price": None if kind == "MARKET" else params.get("price"),
        "clientOid": params.get("newClientOrderId") or None,
        "type": kind,
        "quoteOrderQty": params.get("quoteOrderQty"),
        "reduceOnly": params.get("reduceOnly"),
    }


def _size_of(params: Mapping[str, Any]) -> str:
    """Return the size in base coins; a market order may give its value in the quote coin instead."""
    if params.get("quoteOrderQty") in (None, ""):
        require_sent(params, "quantity")
        return str(params["quantity"])
    try:
        return f"{Decimal(str(params['quoteOrderQty'])) / PRICES.get(str(params['symbol']), Decimal(1)):.8f}"
    except InvalidOperation:
        raise RefusedError("-1102", "Mandatory parameter 'quoteOrderQty' was malformed.") from None


def find_named(context: RequestContext, market: Market) -> Order | None:
    """Return the order that a request names; the order id is searched first, and the client id only compared.

    Raises:
        RefusedError: the symbol or both ids are missing, or the order has another client id.
    """
    params = context.params
    require_sent(params, "symbol")
    order_id, client_id = str(params.get("orderId") or ""), str(params.get("origClientOrderId") or "")
    if not order_id and not client_id:
        text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise RefusedError("-1102", text)
    order = find_order(context, market, order_id, client_id)
    if order is None or order.params["symbol"] != params["symbol"]:
        return None
    if order_id and client_id and order.client_id != client_id:
        raise RefusedError("-2039", "Client order ID is not correct for this order ID.")
    return order


def place(context: RequestContext, market: Market, params: Mapping[str, Any], would_take: tuple[str, str]) -> Order:
    """Accept an order.

    Args:
        context: of the request.
        market: of the order.
        params: in the words of the exchange's own rules.
        would_take: code and message for an order that may only rest but would be filled at once.

    Raises:
        RefusedError: a parameter is wrong, funds are missing, the client id is pending, or the order would take.
    """
    clean = context.exchange.check_order(market, params)
    if clean.get("force") == "post_only" and clean["outcome"] == "cancelled":
        raise RefusedError(*would_take)
    return context.exchange.orders.add(market, clean, context.now, lag=context.lag)


def list_named(context: RequestContext, market: Market, *statuses: str) -> list[OrderView]:
    """Return the orders of a list request, oldest first: those of its symbol, ids, times and limit.

    Raises:
        RefusedError: a number is not one.
    """
    params = context.params
    try:
        since, until = int(params.get("startTime", 0)), int(params.get("endTime", 1 << 62))
        limit = min(int(params.get("limit", 500)), 1000)
    except ValueError:
        raise RefusedError("-1102", "Mandatory parameter 'limit' was malformed.") from None
    order_id = str(params.get("orderId") or "")
    rows = [
        view
        for view in list_orders(context, market, params.get("symbol"), *statuses)
        if since <= view.created <= until and order_id in ("", view.order.order_id)
    ]
    return rows[:limit][::-1]
