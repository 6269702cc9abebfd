"""Defines OKX's routes that write orders: one at a time, or several in one request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from ...exchange.order_rules import PRICES, positive_number
from ...exchange.order_store import Market, Order, RefusedError
from ...rest.endpoint import Endpoint, HttpRequest, RequestContext
from ..order_view import find_order
from ..translation import translated
from .okx_answers import FAULTS, REFUSALS, format_items, item, refused
from .okx_instruments import INSTRUMENTS, SWAP_UNITS

__all__ = ["MARKET", "ROUTES", "find_named", "named_id_of"]

# Client ids are unique across the instruments, so spot and swaps are one market here.
_GONE = "Order cancellation failed as the order has been filled, canceled or does not exist."
MARKET = Market("spot", ("51016", "Client order ID already exists."), ("51400", _GONE))
_ID = re.compile(r"[0-9A-Za-z]{1,32}", re.ASCII)
_FORCES = {"limit": "gtc", "post_only": "post_only", "ioc": "ioc", "fok": "fok", "optimal_limit_ioc": "ioc"}
_MAX_ITEMS = 20
_TRADE = "/api/v5/trade"
Write = Callable[[RequestContext, Mapping[str, Any]], Order]


def named_id_of(request: HttpRequest) -> str:
    """Return the client id, or else the order id, of the first order that a request names."""
    first = next(iter(_items(request)), {})
    return str(first.get("clOrdId") or first.get("ordId") or "")


def _items(request: HttpRequest) -> list[Mapping[str, Any]]:
    """Return the orders of a request; those of a batch are a list in the body."""
    items = request.params.get("items", [request.params])
    return [one if isinstance(one, dict) else {} for one in items]


def _require(params: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if params.get(name) in (None, ""):
            raise refused("50014", f"Parameter {name} can not be empty.", 400)


def _check_instrument(params: Mapping[str, Any]) -> None:
    _require(params, "instId")
    if params["instId"] not in INSTRUMENTS:
        raise refused("51001", "Instrument ID doesn't exist.")


def _order_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the order that a request describes, in the words of the exchange's own rules."""
    _require(params, "tdMode", "side", "ordType", "sz")
    _check_instrument(params)
    kind, symbol = INSTRUMENTS[params["instId"]]
    order_type = params["ordType"]
    is_market = order_type in ("market", "optimal_limit_ioc")
    if not is_market and order_type not in _FORCES:
        raise refused("51000", "Parameter ordType error")
    if (params["tdMode"] == "cash") != (kind == "SPOT"):
        raise refused("51000", "Parameter tdMode error")
    client_id = params.get("clOrdId") or None
    if client_id is not None and not _ID.fullmatch(str(client_id)):
        raise refused("51000", "Parameter clOrdId error")
    own_fields = {name: params.get(name) for name in ("instId", "tdMode", "ordType", "tgtCcy", "posSide", "reduceOnly")}
    return {
        **own_fields,
        "sz": params["sz"],
        "symbol": symbol,
        "side": params["side"],
        "orderType": "market" if is_market else "limit",
        "force": _FORCES.get(order_type),
        "size": _size_of(params, symbol) if kind == "SPOT" and is_market else params["sz"],
        "price": None if is_market else params.get("px"),
        "unit": SWAP_UNITS[symbol] if kind == "SWAP" else None,
        "clientOid": client_id,
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
    _check_instrument(params)
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


def _each(write: Write, context: RequestContext) -> list[dict[str, str]]:
    """Return the items of the answer; each order of a batch succeeds or fails by itself.

    Raises:
        RefusedError: the number of orders is wrong.
    """
    items = _items(context.request)
    if not 0 < len(items) <= _MAX_ITEMS:
        raise refused("51000", "Parameter number of orders error")
    return [_one(write, context, params) for params in items]


def _one(write: Write, context: RequestContext, params: Mapping[str, Any]) -> dict[str, str]:
    client_id = str(params.get("clOrdId") or "")
    try:
        order = translated(write, REFUSALS)(context, params)
    except RefusedError as error:
        return item("", client_id, context.now, error.code, error.message)
    return item(order.order_id, client_id, context.now)


def _blank_items(context: RequestContext) -> list[dict[str, str]]:
    """Return the items of an answer that says of no order what became of it."""
    return [item("", str(params.get("clOrdId") or ""), context.now) for params in _items(context.request)]


def _endpoint(write: Write, kind: str) -> Endpoint:
    return Endpoint(
        route=partial(_each, write),
        kind=kind,
        key=named_id_of,
        format_reply=format_items,
        fault_answers=FAULTS,
        fault_data=_blank_items,
    )


ROUTES = {
    ("POST", f"{_TRADE}/order"): _endpoint(_place, "place"),
    ("POST", f"{_TRADE}/batch-orders"): _endpoint(_place, "place"),
    ("POST", f"{_TRADE}/cancel-order"): _endpoint(_cancel, "cancel"),
    ("POST", f"{_TRADE}/cancel-batch-orders"): _endpoint(_cancel, "cancel"),
    ("POST", f"{_TRADE}/amend-order"): _endpoint(_amend, "amend"),
    ("POST", f"{_TRADE}/amend-batch-orders"): _endpoint(_amend, "amend"),
}
