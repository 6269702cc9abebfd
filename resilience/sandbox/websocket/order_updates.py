"""Builds the updates of the private order channels when an order is accepted, filled or cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exchange.order_store import FUTURES, SPOT, Order
from ..rest import unified
from ..rest.spot import fill_volumes
from .topics import channel_of

__all__ = ["covers", "update_row"]


def covers(version: str, arg: Mapping[str, Any], order: Order) -> bool:
    """Return whether a subscription gets the updates of an order."""
    if version == "v3":
        return channel_of(arg) == "order"
    # Channels of V2 are per product type; `default` means all symbols of it.
    product = "SPOT" if order.market is SPOT else "USDT-FUTURES"
    subject = arg.get("instId") or arg.get("coin")
    return (
        channel_of(arg) == "orders"
        and arg.get("instType") == product
        and subject in ("default", order.params["symbol"])
    )


def update_row(version: str, order: Order, status: str) -> dict[str, Any]:
    """Return the row for an order that just changed to a status: live, filled or cancelled."""
    if version == "v3":
        return unified.order_row(order, status)
    params = order.params
    price, base, _ = fill_volumes(order) if status == "filled" else ("0", "0", "0")
    created = str(int(order.created * 1000))
    return {
        "instId": params["symbol"],
        "orderId": order.order_id,
        "clientOid": order.client_id,
        "side": params["side"],
        "orderType": params["orderType"],
        "force": params.get("force", "gtc"),
        "price": params.get("price", ""),
        "size": params["size"],
        "status": "canceled" if order.market is FUTURES and status == "cancelled" else status,
        "accBaseVolume": base,
        "priceAvg": price,
        "cTime": created,
        "uTime": created if status == "live" else str(int(order.status_since * 1000)),
    }
