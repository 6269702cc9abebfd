"""What an order must be before it is accepted, market by market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from .order_store import RefusedError

__all__ = [
    "BALANCE",
    "LEAST_USDT",
    "PRICES",
    "checked_mix",
    "checked_plain",
    "checked_spot",
    "needed",
    "number",
    "product",
    "texts",
]

PRICES = {"BTCUSDT": Decimal(60_000), "ETHUSDT": Decimal(3_000), "SOLUSDT": Decimal(150)}
"""The prices, which never move."""
BALANCE = Decimal(1_000_000_000)
"""What the account holds of every coin."""
LEAST_USDT = Decimal(1)
"""What an order must be worth."""


def checked_spot(params: Mapping[str, Any]) -> dict[str, str]:
    """Return a spot order's parameters as texts.

    Raises:
        RefusedError: one is missing or wrong, or funds are missing.
    """
    clean = texts(params)
    needed(clean, ("symbol", "side", "orderType", "size"))
    if clean["orderType"] == "limit":
        needed(clean, ("price", "force"))
    _order(clean)
    in_quote = clean["orderType"] == "market" and clean["side"] == "buy"
    _funds(clean, Decimal(1) if in_quote else None)
    return clean


def checked_mix(params: Mapping[str, Any], *, hedge: bool) -> dict[str, str]:
    """Return a futures order's parameters as texts.

    Raises:
        RefusedError: one is missing or wrong, the position mode is the other one, or funds are missing.
    """
    clean = texts(params)
    needed(clean, ("symbol", "productType", "marginMode", "marginCoin", "size", "side", "orderType"))
    if clean["orderType"] == "limit":
        needed(clean, ("price",))
    product(clean)
    if clean["marginMode"] not in ("crossed", "isolated"):
        raise RefusedError("40017", "Parameter verification failed marginMode")
    if clean["marginCoin"].upper() != "USDT":
        raise RefusedError("40017", "Parameter verification failed marginCoin")
    _order(clean)
    if ("tradeSide" in clean) != hedge:
        raise RefusedError("40774", "The order type for unilateral position must also be the unilateral position type.")
    if clean.get("tradeSide", "open").lower() not in ("open", "close"):
        raise RefusedError("40017", "Parameter verification failed tradeSide")
    _funds(clean, None)
    return clean


def checked_plain(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of an ordinary service's order as texts; it is carried out at once.

    Raises:
        RefusedError: one is missing or wrong, or funds are missing.
    """
    clean = {**texts(params), "orderType": "market"}
    needed(clean, ("symbol", "side", "size"))
    _order(clean)
    _funds(clean, None)
    return clean


def product(clean: Mapping[str, Any]) -> None:
    """Hold a futures request to the one product there is.

    Raises:
        RefusedError: it names none, or another.
    """
    needed(clean, ("productType",))
    if str(clean["productType"]).upper() != "USDT-FUTURES":
        raise RefusedError("40017", "Parameter verification failed productType")


def texts(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that were given, as texts."""
    return {str(key): str(value) for key, value in params.items() if value is not None}


def needed(clean: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse a request that lacks a parameter.

    Raises:
        RefusedError: the first that is missing.
    """
    for name in names:
        if not clean.get(name):
            raise RefusedError("400172", f"Parameter verification failed: {name}")


def number(clean: Mapping[str, str], name: str) -> Decimal:
    """Return a parameter as a number above 0.

    Raises:
        RefusedError: it is none.
    """
    try:
        value = Decimal(clean[name])
    except InvalidOperation:
        raise RefusedError("40017", f"Parameter verification failed {name}") from None
    if not value.is_finite() or value <= 0:
        raise RefusedError("40017", f"Parameter verification failed {name}")
    return value


def _order(clean: Mapping[str, str]) -> None:
    if clean["symbol"] not in PRICES:
        raise RefusedError("40034", f"Parameter {clean['symbol']} does not exist")
    if clean["side"] not in ("buy", "sell") or clean["orderType"] not in ("limit", "market"):
        raise RefusedError("40017", "Parameter verification failed side or orderType")
    if len(clean.get("clientOid", "")) > 50:
        raise RefusedError("40304", "clientOid is too long")


def _funds(clean: Mapping[str, str], price: Decimal | None) -> None:
    """Refuse an order that is worth too little, or more than the account holds; `price` is that of one `size`."""
    size = number(clean, "size")
    told = number(clean, "price") if clean.get("price") else PRICES[clean["symbol"]]
    quote = size * (told if price is None else price)
    if quote < LEAST_USDT:
        raise RefusedError("45110", f"less than the minimum amount {LEAST_USDT} USDT")
    if quote > BALANCE:
        raise RefusedError("43012", "Insufficient balance")
