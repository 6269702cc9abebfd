"""What the private order channels tell of an order that was accepted, filled or cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..book import MIX, SPOT, Order
from ..spot import volumes
from .topics import name_of

__all__ = ["row_of", "tells"]


def tells(version: str, arg: Mapping[str, Any], order: Order) -> bool:
    """Return whether a subscription is told of an order."""
    if version == "v3":
        return name_of(arg) == "order"
    product = "SPOT" if order.market is SPOT else "USDT-FUTURES"
    which = arg.get("instId") or arg.get("coin")
    return name_of(arg) == "orders" and arg.get("instType") == product and which in ("default", order.params["symbol"])


def row_of(version: str, order: Order, status: str) -> dict[str, Any]:
    """Return the order as it was when it had that status: live, filled or cancelled."""
    told = order.params
    price, base, quote = volumes(order) if status == "filled" else ("0", "0", "0")
    both = {"orderId": order.order_id, "clientOid": order.client_id, "side": told["side"]}
    both |= {"orderType": told["orderType"], "price": told.get("price", "")}
    created = str(int(order.created * 1000))
    updated = created if status == "live" else str(int(order.at * 1000))
    if version == "v3":
        category = "spot" if order.market is SPOT else "usdt-futures"
        shown = {"category": category, "symbol": told["symbol"], "qty": told["size"], "orderStatus": status}
        filled = {"cumExecQty": base, "cumExecValue": quote, "avgPrice": price}
        return {**both, **shown, **filled, "createdTime": created, "updatedTime": updated}
    spelled = "canceled" if order.market is MIX and status == "cancelled" else status
    shown = {"instId": told["symbol"], "size": told["size"], "force": told.get("force", "gtc"), "status": spelled}
    return {**both, **shown, "accBaseVolume": base, "priceAvg": price, "cTime": created, "uTime": updated}
