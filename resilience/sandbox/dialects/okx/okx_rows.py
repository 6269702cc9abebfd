"""Builds the rows of OKX's orders and fills."""

from __future__ import annotations

from typing import Any

from ..order_view import OrderView, given_id

__all__ = ["fill_row", "order_row"]

_STATES = {"live": "live", "filled": "filled", "cancelled": "canceled"}
_SOURCES = {"post_only": "31", "ioc": "14", "fok": "13"}
"""How an order that could not rest was cancelled, by its type."""


def order_row(view: OrderView) -> dict[str, Any]:
    """Return an order as the API shows it."""
    params = view.order.params
    ended_itself = view.status == "cancelled" and params.get("outcome") == "cancelled"
    source = _SOURCES.get(params.get("force", ""), "") if ended_itself else "1" if view.status == "cancelled" else ""
    empty = dict.fromkeys(("tag", "tradeId", "fillTime", "pnl", "rebate", "rebateCcy", "algoClOrdId", "reqId"), "")
    return {
        **empty,
        **_names(view),
        "px": params.get("price", ""),
        "sz": params.get("sz", params["size"]),
        "ordType": params.get("ordType", params["orderType"]),
        "side": params["side"],
        "posSide": params.get("posSide", "net" if "unit" in params else ""),
        "tdMode": params.get("tdMode", "cash"),
        "tgtCcy": params.get("tgtCcy", ""),
        "accFillSz": str(view.filled),
        "fillSz": str(view.filled),
        "fillPx": str(view.average) if view.filled else "",
        "avgPx": str(view.average) if view.filled else "",
        "state": _STATES[view.status],
        "fee": "0",
        "feeCcy": "USDT",
        "reduceOnly": params.get("reduceOnly", "false").lower(),
        "cancelSource": source,
        "category": "normal",
        "source": "",
        "cTime": str(view.created),
        "uTime": str(view.updated),
    }


def _names(view: OrderView) -> dict[str, str]:
    params = view.order.params
    default = params["symbol"].removesuffix("USDT") + "-USDT"
    return {
        "instType": "SWAP" if "unit" in params else "SPOT",
        "instId": params.get("instId", default),
        "ordId": view.order.order_id,
        "clOrdId": given_id(view.order),
    }


def fill_row(view: OrderView) -> dict[str, Any]:
    """Return the trade that filled an order."""
    stamp = str(view.updated)
    return {
        **_names(view),
        "tradeId": str(int(view.order.order_id) % 1_000_000_007),
        "billId": view.order.order_id,
        "tag": "",
        "fillPx": str(view.average),
        "fillSz": str(view.filled),
        "side": view.order.params["side"],
        "posSide": "net",
        "execType": "T",
        "fee": "0",
        "feeCcy": "USDT",
        "ts": stamp,
        "fillTime": stamp,
    }
