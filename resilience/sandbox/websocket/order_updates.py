"""What the private order channels tell of an order that was accepted, filled or cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exchange.order_store import MIX, SPOT, Order
from ..rest import unified
from ..rest.spot import volumes
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
    if version == "v3":
        return unified.shown(order, status)
    told = order.params
    price, base, _ = volumes(order) if status == "filled" else ("0", "0", "0")
    created = str(int(order.created * 1000))
    return {
        "instId": told["symbol"],
        "orderId": order.order_id,
        "clientOid": order.client_id,
        "side": told["side"],
        "orderType": told["orderType"],
        "force": told.get("force", "gtc"),
        "price": told.get("price", ""),
        "size": told["size"],
        "status": "canceled" if order.market is MIX and status == "cancelled" else status,
        "accBaseVolume": base,
        "priceAvg": price,
        "cTime": created,
        "uTime": created if status == "live" else str(int(order.at * 1000)),
    }
