"""Builds the rows of Bybit's orders and executions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..order_view import OrderView, given_id

__all__ = ["execution_row", "order_row"]

_STATUSES = {"live": "New", "filled": "Filled", "cancelled": "Cancelled"}
_FORCES = {"gtc": "GTC", "ioc": "IOC", "fok": "FOK", "post_only": "PostOnly"}
_REASONS = {
    "post_only": "EC_PostOnlyWillTakeLiquidity",
    "ioc": "EC_NoImmediateQtyToFill",
    "fok": "EC_NoEnoughQtyToFill",
}
"""Why an order that could not rest was cancelled, by its time in force."""


def order_row(view: OrderView) -> dict[str, Any]:
    """Return an order as the API shows it."""
    params = view.order.params
    cancelled = view.status == "cancelled"
    ended_itself = cancelled and params.get("outcome") == "cancelled"
    by_user = cancelled and not ended_itself
    force = "ioc" if params["orderType"] == "market" else params.get("force", "gtc")
    return {
        "orderId": view.order.order_id,
        "orderLinkId": given_id(view.order),
        "symbol": params["symbol"],
        "side": params["side"].capitalize(),
        "orderType": params["orderType"].capitalize(),
        "timeInForce": _FORCES[force],
        "price": params.get("price", "0"),
        "qty": params.get("qty", params["size"]),
        "orderStatus": _STATUSES[view.status],
        "cancelType": "CancelByUser" if by_user else "UNKNOWN",
        "rejectReason": _REASONS.get(force, "EC_NoError") if ended_itself else "EC_NoError",
        "avgPrice": str(view.average) if view.filled else "",
        "cumExecQty": str(view.filled),
        "cumExecValue": str(view.cost),
        "cumExecFee": "0",
        "leavesQty": str(view.size) if view.status == "live" else "0",
        "leavesValue": str(view.size * Decimal(params.get("price", 0))) if view.status == "live" else "0",
        "reduceOnly": params.get("reduceOnly", "false").lower() == "true",
        "positionIdx": 0,
        "stopOrderType": "",
        "triggerPrice": "",
        "takeProfit": "",
        "stopLoss": "",
        "marketUnit": params.get("marketUnit", ""),
        "createdTime": str(view.created),
        "updatedTime": str(view.updated),
    }


def execution_row(view: OrderView) -> dict[str, Any]:
    """Return the trade that filled an order."""
    params = view.order.params
    return {
        "execId": f"{view.order.order_id}-1",
        "orderId": view.order.order_id,
        "orderLinkId": given_id(view.order),
        "symbol": params["symbol"],
        "side": params["side"].capitalize(),
        "orderType": params["orderType"].capitalize(),
        "execType": "Trade",
        "execPrice": str(view.average),
        "execQty": str(view.filled),
        "execValue": str(view.cost),
        "execFee": "0",
        "feeRate": "0",
        "isMaker": False,
        "leavesQty": "0",
        "orderQty": str(view.size),
        "execTime": str(view.updated),
    }
