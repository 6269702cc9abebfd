"""Routes of futures orders (classic V2, USDT-margined)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exchange.order_rules import PRICES, needed, product
from ..exchange.order_store import MIX, Order, RefusedError
from .endpoint import Endpoint, Turn, client_id_of, new_id_of
from .order_lists import page

__all__ = ["ROUTES"]

_ORDER = "/api/v2/mix/order"


def _shown(order: Order, when: float, hedge: bool) -> dict[str, Any]:
    """Return an order as the API shows it, as of `when`; futures call the status state."""
    told = order.params
    state = {"cancelled": "canceled"}.get(order.status_at(when), order.status_at(when))
    filled = told["size"] if state == "filled" else "0"
    short = (told["side"] == "sell") != (told.get("tradeSide", "open").lower() == "close")
    average = told.get("price") or str(PRICES.get(told["symbol"], ""))
    row = {
        "orderId": order.order_id,
        "clientOid": order.client_id,
        "symbol": told["symbol"],
        "size": told["size"],
        "price": told.get("price", ""),
        "priceAvg": average if state == "filled" else "",
        "baseVolume": filled,
        "state": state,
        "side": told["side"],
        "force": told.get("force", "gtc"),
        "orderType": told["orderType"],
        "marginMode": told.get("marginMode", "crossed"),
        "marginCoin": told.get("marginCoin", "USDT"),
        "posSide": ("short" if short else "long") if hedge else "net",
        "posMode": "hedge_mode" if hedge else "one_way_mode",
        "tradeSide": told.get("tradeSide", ""),
        "reduceOnly": told.get("reduceOnly", "NO"),
        "leverage": "10",
        "fee": "0",
        "totalProfits": "0",
        "orderSource": told["orderType"],
        "cTime": str(int(order.created * 1000)),
        "uTime": str(int((order.at if order.at <= when else order.created) * 1000)),
    }
    return order.shown(row)


def _market(params: Mapping[str, Any]) -> None:
    needed(params, ("symbol",))
    product(params)


def _place(turn: Turn) -> Any:
    """Place an order; one that only reduces in one-way mode is told without its id."""
    order = turn.exchange.place(MIX, turn.params, turn.now, turn.lag)
    reduces = str(turn.params.get("reduceOnly", "")).upper() == "YES" and not turn.exchange.hedge
    return {"orderId": None if reduces else order.order_id, "clientOid": order.client_id}


def _cancel(turn: Turn) -> Any:
    _market(turn.params)
    order = turn.exchange.cancel(MIX, turn.params, turn.now, turn.lag)
    return {"orderId": order.order_id, "clientOid": order.client_id}


def _modify(turn: Turn) -> Any:
    """Cancel an order and place it anew with a change; the new one's id is not told."""
    params = turn.params
    _market(params)
    change = {name: params[f"new{name.title()}"] for name in ("size", "price") if params.get(f"new{name.title()}")}
    if change:
        needed(params, ("newClientOid",))
        turn.exchange.replace(MIX, params, {**change, "clientOid": params["newClientOid"]}, turn.now, turn.lag)
    return {"orderId": None, "clientOid": params.get("newClientOid")}


def _detail(turn: Turn) -> Any:
    _market(turn.params)
    for order in turn.exchange.book.find(MIX, turn.params, turn.now, turn.stale):
        if order.params["symbol"] == turn.params["symbol"]:
            return _shown(order, turn.as_of, turn.exchange.hedge)
    raise RefusedError("40109", "The data of the order cannot be found, please confirm the order number")


def _listed(turn: Turn, *, live: bool) -> Any:
    product(turn.params)
    seen = [o for o in turn.exchange.book.listed(MIX, turn.now) if (o.status_at(turn.now) == "live") == live]
    found = [_shown(order, turn.now, turn.exchange.hedge) for order in page(seen, turn.params, by_client=True)]
    return {"entrustedList": found or None, "endId": found[-1]["orderId"] if found else None}


def _pending(turn: Turn) -> Any:
    return _listed(turn, live=True)


def _history(turn: Turn) -> Any:
    return _listed(turn, live=False)


ROUTES = {
    ("POST", f"{_ORDER}/place-order"): Endpoint(act=_place, kind="place", key=client_id_of),
    ("POST", f"{_ORDER}/cancel-order"): Endpoint(act=_cancel, kind="cancel"),
    ("POST", f"{_ORDER}/modify-order"): Endpoint(act=_modify, kind="place", key=new_id_of),
    ("GET", f"{_ORDER}/detail"): Endpoint(act=_detail, kind="query"),
    ("GET", f"{_ORDER}/orders-pending"): Endpoint(act=_pending),
    ("GET", f"{_ORDER}/orders-history"): Endpoint(act=_history),
}
