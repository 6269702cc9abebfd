"""Defines Binance's routes of public data and of the account, as far as ccxt needs them to load markets."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from ...exchange.order_rules import BALANCE, MIN_ORDER_USDT, PRICES
from ...exchange.order_store import RefusedError
from ...rest.endpoint import Endpoint, RequestContext
from .binance_answers import format_reply
from .binance_conditional import TYPES as CONDITIONAL_TYPES

__all__ = ["ROUTES"]

_TICK = Decimal("0.01")
_COINS = [*(symbol.removesuffix("USDT") for symbol in PRICES), "USDT"]
_FOREVER = 4_133_404_800_000
"""The delivery date of a perpetual contract, in ms."""


def _time(context: RequestContext) -> Any:
    return {"serverTime": int(context.now * 1000)}


def _filters(step: str) -> list[dict[str, Any]]:
    return [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": str(_TICK)},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "900000000", "stepSize": step},
        {"filterType": "NOTIONAL", "minNotional": str(MIN_ORDER_USDT), "notional": str(MIN_ORDER_USDT)},
    ]


def _symbol_row(symbol: str) -> dict[str, Any]:
    coins = {"baseAsset": symbol.removesuffix("USDT"), "quoteAsset": "USDT"}
    digits = {"baseAssetPrecision": 8, "quotePrecision": 8, "quoteAssetPrecision": 8}
    return {"symbol": symbol, "status": "TRADING", **coins, **digits}


def _spot_symbols(context: RequestContext) -> Any:
    rows = [
        {
            **_symbol_row(symbol),
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "cancelReplaceAllowed": True,
            "amendAllowed": True,
            "filters": _filters("0.000001"),
            "permissions": ["SPOT"],
        }
        for symbol in PRICES
    ]
    return {**_time(context), "timezone": "UTC", "rateLimits": [], "exchangeFilters": [], "symbols": rows}


def _futures_symbols(context: RequestContext) -> Any:
    rows = [
        {
            **_symbol_row(symbol),
            "pair": symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": _FOREVER,
            "onboardDate": 1_569_398_400_000,
            "marginAsset": "USDT",
            "pricePrecision": 2,
            "quantityPrecision": 4,
            "underlyingType": "COIN",
            "filters": _filters("0.0001"),
            "orderTypes": ["LIMIT", "MARKET", *CONDITIONAL_TYPES],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        }
        for symbol in PRICES
    ]
    return {**_time(context), "timezone": "UTC", "rateLimits": [], "assets": [], "symbols": rows}


def _no_symbols(context: RequestContext) -> Any:
    return {**_time(context), "symbols": []}


def _ticker_row(context: RequestContext, symbol: str, price: Decimal) -> dict[str, Any]:
    """Return a ticker; the price never moves."""
    prices = dict.fromkeys(("lastPrice", "openPrice", "highPrice", "lowPrice", "weightedAvgPrice", "price"), str(price))
    sides = {"bidPrice": str(price - _TICK), "askPrice": str(price + _TICK), "bidQty": "100", "askQty": "100"}
    stamp = int(context.now * 1000)
    times = {"openTime": stamp - 86_400_000, "closeTime": stamp, "time": stamp}
    volumes = {"volume": "1000", "quoteVolume": str(price * 1000), "priceChange": "0", "priceChangePercent": "0"}
    return {"symbol": symbol, **prices, **sides, **volumes, **times, "count": 1}


def _tickers(context: RequestContext) -> Any:
    symbol = context.params.get("symbol")
    if symbol is None:
        return [_ticker_row(context, name, price) for name, price in PRICES.items()]
    if symbol not in PRICES:
        raise RefusedError("-1121", "Invalid symbol.")
    return _ticker_row(context, symbol, PRICES[symbol])


def _coins(_context: RequestContext) -> Any:
    return [
        {"coin": coin, "name": coin, "trading": True, "isLegalMoney": False, "free": str(BALANCE), "networkList": []}
        for coin in _COINS
    ]


def _spot_account(context: RequestContext) -> Any:
    """Return the spot balances, which are large and never change."""
    balances = [{"asset": coin, "free": str(BALANCE), "locked": "0.00000000"} for coin in _COINS]
    allowed = {"canTrade": True, "canWithdraw": False, "canDeposit": False}
    return {**allowed, "accountType": "SPOT", "updateTime": int(context.now * 1000), "balances": balances}


def _futures_account(context: RequestContext) -> Any:
    amounts = dict.fromkeys(("walletBalance", "availableBalance", "marginBalance", "crossWalletBalance"), str(BALANCE))
    zeros = dict.fromkeys(("initialMargin", "maintMargin", "unrealizedProfit", "positionInitialMargin"), "0")
    asset = {"asset": "USDT", **amounts, **zeros, "updateTime": int(context.now * 1000)}
    return {"canTrade": True, "totalWalletBalance": str(BALANCE), "assets": [asset], "positions": []}


def _empty(_context: RequestContext) -> Any:
    return []


_open = partial(Endpoint, kind="open", format_reply=format_reply)
_signed = partial(Endpoint, format_reply=format_reply)

ROUTES = {
    **{("GET", f"{base}/time"): _open(route=_time) for base in ("/api/v3", "/fapi/v1", "/dapi/v1")},
    ("GET", "/api/v3/exchangeInfo"): _open(route=_spot_symbols),
    ("GET", "/fapi/v1/exchangeInfo"): _open(route=_futures_symbols),
    ("GET", "/dapi/v1/exchangeInfo"): _open(route=_no_symbols),
    **{
        ("GET", f"{base}/ticker/{kind}"): _open(route=_tickers)
        for base in ("/api/v3", "/fapi/v1")
        for kind in ("24hr", "price", "bookTicker")
    },
    ("GET", "/sapi/v1/capital/config/getall"): _signed(route=_coins),
    ("GET", "/sapi/v1/margin/allPairs"): _signed(route=_empty),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): _signed(route=_empty),
    ("GET", "/api/v3/account"): _signed(route=_spot_account),
    ("GET", "/fapi/v2/account"): _signed(route=_futures_account),
    ("GET", "/fapi/v3/account"): _signed(route=_futures_account),
}
