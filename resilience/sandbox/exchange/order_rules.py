"""Checks the parameters of orders, market by market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from .order_store import RefusedError

__all__ = [
    "BALANCE",
    "MIN_ORDER_USDT",
    "PRICES",
    "check_futures_order",
    "check_generic_order",
    "check_product",
    "check_spot_order",
    "check_venue_order",
    "clean_params",
    "positive_number",
    "require",
]

_COINS = {
    "BTC": 60_000, "ETH": 3_000, "SOL": 150, "AAVE": 160, "ADA": 1, "APT": 8, "ATOM": 6, "AVAX": 30, "BCH": 400,
    "BNB": 600, "DOT": 6, "FIL": 5, "ICP": 9, "INJ": 20, "LINK": 15, "LTC": 80, "NEAR": 5, "SUI": 2, "UNI": 8, "XRP": 1,
}  # fmt: skip
PRICES = {f"{coin}USDT": Decimal(price) for coin, price in _COINS.items()}
"""The price of each symbol; prices never move."""
BALANCE = Decimal(1_000_000_000)
"""The balance of every coin."""
MIN_ORDER_USDT = Decimal(1)
"""The minimum value of an order."""


def check_spot_order(params: Mapping[str, Any]) -> dict[str, str]:
    """Return a spot order's parameters as strings.

    Raises:
        RefusedError: a parameter is missing or wrong, or funds are missing.
    """
    clean = clean_params(params)
    require(clean, ("symbol", "side", "orderType", "size"))
    if clean["orderType"] == "limit":
        require(clean, ("price", "force"))
    _check_order(clean)
    # Bitget sizes a spot market buy in the quote coin, every other order in the base coin.
    in_quote = clean["orderType"] == "market" and clean["side"] == "buy"
    _check_funds(clean, Decimal(1) if in_quote else None)
    return clean


def check_futures_order(params: Mapping[str, Any], *, hedge: bool) -> dict[str, str]:
    """Return a futures order's parameters as strings.

    Raises:
        RefusedError: a parameter is missing or wrong, the position mode differs, or funds are missing.
    """
    clean = clean_params(params)
    require(clean, ("symbol", "productType", "marginMode", "marginCoin", "size", "side", "orderType"))
    if clean["orderType"] == "limit":
        require(clean, ("price",))
    check_product(clean)
    if clean["marginMode"] not in ("crossed", "isolated"):
        raise RefusedError("40017", "Parameter verification failed marginMode")
    if clean["marginCoin"].upper() != "USDT":
        raise RefusedError("40017", "Parameter verification failed marginCoin")
    _check_order(clean)
    if ("tradeSide" in clean) != hedge:
        raise RefusedError("40774", "The order type for unilateral position must also be the unilateral position type.")
    if clean.get("tradeSide", "open").lower() not in ("open", "close"):
        raise RefusedError("40017", "Parameter verification failed tradeSide")
    _check_funds(clean, None)
    return clean


def check_generic_order(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of a generic HTTP API's order as strings; such orders are market orders.

    Raises:
        RefusedError: a parameter is missing or wrong, or funds are missing.
    """
    clean = {**clean_params(params), "orderType": "market"}
    require(clean, ("symbol", "side", "size"))
    _check_order(clean)
    _check_funds(clean, None)
    return clean


def check_venue_order(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters of an order of another exchange than Bitget as strings, with how it ends.

    `size` is in the base coin, or in contracts of `unit` base coins. `force` decides how a limit order ends: `gtc`
    rests, `ioc` and `fok` fill or are cancelled, `post_only` rests or is cancelled.

    Raises:
        RefusedError: a parameter is missing or wrong, or funds are missing.
    """
    clean = clean_params(params)
    require(clean, ("symbol", "side", "orderType", "size"))
    if clean["orderType"] == "limit":
        require(clean, ("price",))
    _check_order(clean)
    unit, price = Decimal(clean.get("unit", "1")), PRICES[clean["symbol"]]
    limit = positive_number(clean, "price") if clean.get("price") else price
    _check_funds(clean, unit * limit)
    crosses = limit >= price if clean["side"] == "buy" else limit <= price
    clean["outcome"] = _outcome(clean["orderType"], clean.get("force", "gtc"), crosses=crosses)
    return clean


def _outcome(order_type: str, force: str, *, crosses: bool) -> str:
    if order_type == "market":
        return "filled"
    if force in ("ioc", "fok"):
        return "filled" if crosses else "cancelled"
    return "cancelled" if force == "post_only" and crosses else "live"


def check_product(clean: Mapping[str, Any]) -> None:
    """Check the product type of a futures request; only USDT-FUTURES exists here.

    Raises:
        RefusedError: it is missing, or another one.
    """
    require(clean, ("productType",))
    if str(clean["productType"]).upper() != "USDT-FUTURES":
        raise RefusedError("40017", "Parameter verification failed productType")


def clean_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters as strings, without those that are None."""
    return {str(key): str(value) for key, value in params.items() if value is not None}


def require(clean: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse a request that lacks a parameter.

    Raises:
        RefusedError: names the first missing parameter.
    """
    for name in names:
        if not clean.get(name):
            raise RefusedError("400172", f"Parameter verification failed: {name}")


def positive_number(clean: Mapping[str, str], name: str) -> Decimal:
    """Return a parameter as a number above 0.

    Raises:
        RefusedError: it is not a number, or not above 0.
    """
    try:
        value = Decimal(clean[name])
    except InvalidOperation:
        raise RefusedError("40017", f"Parameter verification failed {name}") from None
    if not value.is_finite() or value <= 0:
        raise RefusedError("40017", f"Parameter verification failed {name}")
    return value


def _check_order(clean: Mapping[str, str]) -> None:
    if clean["symbol"] not in PRICES:
        raise RefusedError("40034", f"Parameter {clean['symbol']} does not exist")
    if clean["side"] not in ("buy", "sell") or clean["orderType"] not in ("limit", "market"):
        raise RefusedError("40017", "Parameter verification failed side or orderType")
    if len(clean.get("clientOid", "")) > 50:
        raise RefusedError("40304", "clientOid is too long")


def _check_funds(clean: Mapping[str, str], price: Decimal | None) -> None:
    """Refuse an order whose value is below the minimum or above the balance.

    `price` is the value of one unit of `size`; None means the order's own price, or the market's.
    """
    size = positive_number(clean, "size")
    order_price = positive_number(clean, "price") if clean.get("price") else PRICES[clean["symbol"]]
    quote = size * (order_price if price is None else price)
    if quote < MIN_ORDER_USDT:
        raise RefusedError("45110", f"less than the minimum amount {MIN_ORDER_USDT} USDT")
    if quote > BALANCE:
        raise RefusedError("43012", "Insufficient balance")
