"""Defines what can be subscribed to: the channels of V2 and the topics of V3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exchange.order_rules import PRICES

__all__ = ["access_of", "channel_of", "is_order_book"]

# COIN and USDC futures can be subscribed to, although the sandbox trades none of them.
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


def channel_of(arg: Mapping[str, Any]) -> str:
    """Return the channel (V2) or the topic (V3) of an arg."""
    return str(arg.get("channel") or arg.get("topic") or "")


def is_order_book(arg: Mapping[str, Any]) -> bool:
    """Return whether an arg is the full order book, which sends a snapshot and then updates in sequence."""
    return channel_of(arg) == "books"


def access_of(version: str, arg: Mapping[str, Any]) -> str:
    """Return `public` or `private`, or an empty string if the arg does not exist."""
    name = str(arg.get("channel" if version == "v2" else "topic") or "")
    if name in _PRIVATE[version]:
        return "private" if _is_account_arg(version, arg) else ""
    if name in _PUBLIC[version] or name.startswith(_CANDLES[version]):
        return "public" if _is_market_arg(version, arg) else ""
    return ""


def _is_account_arg(version: str, arg: Mapping[str, Any]) -> bool:
    if version == "v3":
        return str(arg.get("instType")).upper() == "UTA"
    subject = arg.get("coin") or arg.get("instId")
    return arg.get("instType") in _V2_TYPES and isinstance(subject, str) and subject != ""


def _is_market_arg(version: str, arg: Mapping[str, Any]) -> bool:
    if version == "v3":
        return str(arg.get("instType")).upper() in _V2_TYPES and str(arg.get("symbol")) in PRICES
    return arg.get("instType") in _V2_TYPES and str(arg.get("instId")) in PRICES
