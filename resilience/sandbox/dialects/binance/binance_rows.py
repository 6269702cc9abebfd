"""Builds the rows of Binance's orders and trades."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..order_view import OrderView

__all__ = ["futures_row", "futures_trade", "spot_fills", "spot_row", "spot_trade", "trade_id"]

_STATUSES = {"live": "NEW", "filled": "FILLED", "cancelled": "CANCELED"}
_FORCES = {"gtc": "GTC", "ioc": "IOC", "fok": "FOK", "post_only": "GTX"}


def _amount(number: Decimal) -> str:
    return f"{number:.8f}"


def _status(view: OrderView) -> str:
    # An order that could not rest has expired: nobody cancelled it.
    expired = view.status == "cancelled" and view.order.params.get("outcome") == "cancelled"
    return "EXPIRED" if expired else _STATUSES[view.status]


def _common_row(view: OrderView) -> dict[str, Any]:
    params = view.order.params
    return {
        "symbol": params["symbol"],
        "orderId": int(view.order.order_id),
        "clientOrderId": view.order.client_id,
        "price": _amount(Decimal(params.get("price", 0))),
        "origQty": _amount(view.size),
        "executedQty": _amount(view.filled),
        "status": _status(view),
        "type": params.get("type", params["orderType"].upper()),
        "side": params["side"].upper(),
    }


def spot_row(view: OrderView) -> dict[str, Any]:
    """Return an order as the spot API shows it."""
    quote = Decimal(view.order.params.get("quoteOrderQty", 0))
    force = _FORCES[view.order.params.get("force", "gtc")].replace("GTX", "GTC")
    return {
        **_common_row(view),
        "orderListId": -1,
        "cummulativeQuoteQty": _amount(view.cost),
        "timeInForce": force,
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": view.created,
        "updateTime": view.updated,
        "isWorking": True,
        "workingTime": view.created,
        "origQuoteOrderQty": _amount(quote),
        "selfTradePreventionMode": "NONE",
    }


def spot_fills(view: OrderView) -> list[dict[str, Any]]:
    """Return the fills in the full answer to a new order; there is one at most."""
    if not view.filled:
        return []
    fee = {"commission": "0.00000000", "commissionAsset": "USDT"}
    return [{"price": _amount(view.average), "qty": _amount(view.filled), **fee, "tradeId": trade_id(view)}]


def futures_row(view: OrderView) -> dict[str, Any]:
    """Return an order as the USD-M API shows it."""
    params = view.order.params
    return {
        **_common_row(view),
        "avgPrice": _amount(view.average),
        "cumQuote": _amount(view.cost),
        "timeInForce": _FORCES[params.get("force", "gtc")],
        "reduceOnly": params.get("reduceOnly", "false").lower() == "true",
        "closePosition": False,
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "origType": params.get("type", params["orderType"].upper()),
        "time": view.created,
        "updateTime": view.updated,
    }


def trade_id(view: OrderView) -> int:
    """Return the id of the trade that filled an order."""
    return int(view.order.order_id) % 1_000_000_007


def _trade(view: OrderView) -> dict[str, Any]:
    """Return the trade that filled an order, without its client id."""
    return {
        "symbol": view.order.params["symbol"],
        "id": trade_id(view),
        "orderId": int(view.order.order_id),
        "price": _amount(view.average),
        "qty": _amount(view.filled),
        "quoteQty": _amount(view.cost),
        "commission": "0",
        "commissionAsset": "USDT",
        "time": view.updated,
    }


def spot_trade(view: OrderView) -> dict[str, Any]:
    """Return a trade as the spot API shows it."""
    buys = view.order.params["side"] == "buy"
    return {**_trade(view), "orderListId": -1, "isBuyer": buys, "isMaker": False, "isBestMatch": True}


def futures_trade(view: OrderView) -> dict[str, Any]:
    """Return a trade as the USD-M API shows it."""
    side = view.order.params["side"]
    return {**_trade(view), "buyer": side == "buy", "maker": False, "side": side.upper(), "positionSide": "BOTH"}
