"""Routes of a unified account's orders (V3): spot and futures by category, in V3's own names and codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..exchange.order_store import MIX, SPOT, Market, Order, RefusedError
from .endpoint import Endpoint, Turn, client_id_of
from .order_lists import page
from .spot import volumes

__all__ = ["CODES", "ROUTES", "asked", "shown"]

CODES = {"43118": "25212", "40786": "25212", "40768": "25204", "22001": "25204", "43012": "25202", "43001": "25204"}
"""What V2 calls by other numbers."""
_TRADE = "/api/v3/trade"
_NAMES = {"qty": "size", "timeInForce": "force"}
_MARGIN = {"marginMode": "crossed", "marginCoin": "USDT"}
_MARKETS = {"SPOT": SPOT, "USDT-FUTURES": MIX}


def asked(category: Any, params: Mapping[str, Any]) -> tuple[Market, dict[str, Any]]:
    """Return the market of a category, and the parameters in the names of V2.

    Raises:
        RefusedError: there is no such category.
    """
    kind = str(category).upper()
    if kind not in _MARKETS:
        raise RefusedError("40017", "Parameter verification failed category")
    told = {_NAMES.get(name, name): value for name, value in params.items() if name != "category"}
    if told.get("orderType") == "limit":
        told.setdefault("force", "gtc")
    return _MARKETS[kind], told if kind == "SPOT" else {**_MARGIN, **told, "productType": kind}


def shown(order: Order, status: str) -> dict[str, Any]:
    """Return an order as V3 shows it when it has that status: live, filled or cancelled."""
    told = order.params
    price, base, quote = volumes(order) if status == "filled" else ("0", "0", "0")
    created = str(int(order.created * 1000))
    row = {
        "orderId": order.order_id,
        "clientOid": order.client_id,
        "category": "SPOT" if order.market is SPOT else "USDT-FUTURES",
        "symbol": told["symbol"],
        "side": told["side"],
        "orderType": told["orderType"],
        "timeInForce": told.get("force", "gtc"),
        "price": told.get("price", ""),
        "qty": told["size"],
        "orderStatus": status,
        "cumExecQty": base,
        "cumExecValue": quote,
        "avgPrice": price,
        "createdTime": created,
        "updatedTime": created if status == "live" else str(int(order.at * 1000)),
    }
    return order.shown(row)


def _changed(order: Order) -> dict[str, str]:
    return {"orderId": order.order_id, "clientOid": order.client_id}


def _place(turn: Turn) -> Any:
    market, params = asked(turn.params.get("category"), turn.params)
    return _changed(turn.exchange.place(market, params, turn.now, turn.lag))


def _cancel(turn: Turn) -> Any:
    for market in _MARKETS.values():
        if turn.exchange.book.find(market, turn.params, turn.now):
            return _changed(turn.exchange.cancel(market, turn.params, turn.now, turn.lag))
    raise RefusedError("25204", "Order does not exist")


def _info(turn: Turn) -> Any:
    for market in _MARKETS.values():
        for order in turn.exchange.book.find(market, turn.params, turn.now, turn.stale):
            return shown(order, order.status_at(turn.as_of))
    raise RefusedError("25204", "Order does not exist")


def _listed(turn: Turn, *, live: bool) -> Any:
    category = turn.params.get("category")
    markets = [asked(category, {})[0]] if category else list(_MARKETS.values())
    seen = [order for market in markets for order in turn.exchange.book.listed(market, turn.now)]
    chosen = [order for order in seen if (order.status_at(turn.now) == "live") == live]
    params = {name: value for name, value in turn.params.items() if name in ("symbol", "startTime", "endTime", "limit")}
    params["idLessThan"] = turn.params.get("cursor")
    found = [shown(order, order.status_at(turn.now)) for order in page(chosen, params)]
    return {"list": found, "cursor": found[-1]["orderId"] if found else None}


def _in_its_own_codes(act: Callable[[Turn], Any]) -> Callable[[Turn], Any]:
    """Return an act whose refusals have V3's codes."""

    def acted(turn: Turn) -> Any:
        try:
            return act(turn)
        except RefusedError as error:
            raise RefusedError(CODES.get(error.code, error.code), error.message, error.status) from None

    return acted


ROUTES = {
    ("POST", f"{_TRADE}/place-order"): Endpoint(act=_in_its_own_codes(_place), kind="place", key=client_id_of),
    ("POST", f"{_TRADE}/cancel-order"): Endpoint(act=_in_its_own_codes(_cancel), kind="cancel"),
    ("GET", f"{_TRADE}/order-info"): Endpoint(act=_in_its_own_codes(_info), kind="query"),
    ("GET", f"{_TRADE}/unfilled-orders"): Endpoint(act=lambda turn: _listed(turn, live=True)),
    ("GET", f"{_TRADE}/history-orders"): Endpoint(act=lambda turn: _listed(turn, live=False)),
}
