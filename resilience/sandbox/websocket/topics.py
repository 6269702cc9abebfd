"""What can be subscribed to: the channels of V2 and the topics of V3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exchange.order_rules import PRICES

__all__ = ["kind_of", "name_of", "takes_updates"]

_V2_TYPES = ("SPOT", "USDT-FUTURES", "COIN-FUTURES", "USDC-FUTURES")
_PUBLIC = {
    "v2": ("ticker", "books", "books1", "books5", "books15", "trade"),
    "v3": ("ticker", "books", "books1", "books5", "books50", "publicTrade"),
}
_CANDLES = {"v2": "candle", "v3": "kline"}
_PRIVATE = {
    "v2": ("orders", "orders-algo", "fill", "account", "positions"),
    "v3": ("order", "fill", "account", "position", "strategy-order"),
}


def name_of(arg: Mapping[str, Any]) -> str:
    """Return the channel (V2) or the topic (V3) of an arg."""
    return str(arg.get("channel") or arg.get("topic") or "")


def takes_updates(arg: Mapping[str, Any]) -> bool:
    """Return whether an arg is the full order book: a snapshot, then updates in sequence."""
    return name_of(arg) == "books"


def kind_of(version: str, arg: Mapping[str, Any]) -> str:
    """Return `public`, `private`, or nothing for what does not exist."""
    name = str(arg.get("channel" if version == "v2" else "topic") or "")
    if name in _PRIVATE[version]:
        return "private" if _is_account(version, arg) else ""
    if name in _PUBLIC[version] or name.startswith(_CANDLES[version]):
        return "public" if _is_market(version, arg) else ""
    return ""


def _is_account(version: str, arg: Mapping[str, Any]) -> bool:
    if version == "v3":
        return str(arg.get("instType")).upper() == "UTA"
    which = arg.get("coin") or arg.get("instId")
    return arg.get("instType") in _V2_TYPES and isinstance(which, str) and which != ""


def _is_market(version: str, arg: Mapping[str, Any]) -> bool:
    if version == "v3":
        return str(arg.get("instType")).upper() in _V2_TYPES and str(arg.get("symbol")) in PRICES
    return arg.get("instType") in _V2_TYPES and str(arg.get("instId")) in PRICES
