"""Defines the routes of public market data: the time, the prices, the symbols and the contracts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..exchange.order_rules import MIN_ORDER_USDT, PRICES, check_product, require
from ..exchange.order_store import RefusedError
from .endpoint import Endpoint, RequestContext

__all__ = ["ROUTES"]

_PUBLIC = "/api/v2/spot/public"
_TICK = Decimal("0.01")
_PRODUCT_TYPES = ("USDT-FUTURES", "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES")


def _server_time(context: RequestContext) -> Any:
    return {"serverTime": str(int(context.now * 1000))}


def _requested_prices(context: RequestContext) -> dict[str, Decimal]:
    """Return the price of the requested symbol, or all prices."""
    symbol = context.params.get("symbol")
    if symbol and symbol not in PRICES:
        raise RefusedError("40034", f"Parameter {symbol} does not exist")
    return {symbol: PRICES[symbol]} if symbol else PRICES


def _ticker_row(context: RequestContext, symbol: str, price: Decimal) -> dict[str, str]:
    """Return a ticker; the price never moves."""
    prices = dict.fromkeys(("lastPr", "high24h", "low24h", "open", "open24h", "openUtc"), str(price))
    sides = {"bidPr": str(price - _TICK), "askPr": str(price + _TICK), "bidSz": "100", "askSz": "100"}
    volumes = {"baseVolume": "1000", "quoteVolume": str(price * 1000), "usdtVolume": str(price * 1000)}
    changes = {"change24h": "0", "changeUtc24h": "0", "ts": str(int(context.now * 1000))}
    return {"symbol": symbol, **prices, **sides, **volumes, **changes}


def _spot_tickers(context: RequestContext) -> Any:
    return [_ticker_row(context, symbol, price) for symbol, price in _requested_prices(context).items()]


def _futures_tickers(context: RequestContext) -> Any:
    check_product(context.params)
    extra = {"fundingRate": "0", "holdingAmount": "1000"}
    return [
        {**_ticker_row(context, symbol, price), "markPrice": str(price), "indexPrice": str(price), **extra}
        for symbol, price in _requested_prices(context).items()
    ]


def _futures_ticker(context: RequestContext) -> Any:
    require(context.params, ("symbol",))
    return _futures_tickers(context)


def _coins(context: RequestContext) -> Any:
    coins = [*(symbol.removesuffix("USDT") for symbol in PRICES), "USDT"]
    requested = context.params.get("coin")
    return [
        {"coinId": str(index + 1), "coin": coin, "transfer": "true", "chains": [], "areaCoin": "no"}
        for index, coin in enumerate(coins)
        if requested in (None, "", coin)
    ]


def _symbols(context: RequestContext) -> Any:
    return [
        {
            "symbol": symbol,
            "baseCoin": symbol.removesuffix("USDT"),
            "quoteCoin": "USDT",
            "minTradeAmount": "0",
            "maxTradeAmount": "900000000",
            "takerFeeRate": "0.002",
            "makerFeeRate": "0.002",
            # Precisions are digits after the decimal point; ccxt derives its rounding from them.
            "pricePrecision": "2",
            "quantityPrecision": "6",
            "quotePrecision": "8",
            "status": "online",
            "minTradeUSDT": str(MIN_ORDER_USDT),
            "buyLimitPriceRatio": "0.05",
            "sellLimitPriceRatio": "0.05",
        }
        for symbol in _requested_prices(context)
    ]


def _contracts(context: RequestContext) -> Any:
    """Return the contracts of a product type; only USDT-FUTURES has any."""
    require(context.params, ("productType",))
    if context.params["productType"].upper() not in _PRODUCT_TYPES:
        raise RefusedError("40017", "Parameter verification failed productType")
    return (
        [_contract_row(symbol) for symbol in _requested_prices(context)]
        if context.params["productType"].upper() == _PRODUCT_TYPES[0]
        else []
    )


def _contract_row(symbol: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "baseCoin": symbol.removesuffix("USDT"),
        "quoteCoin": "USDT",
        "supportMarginCoins": ["USDT"],
        "symbolType": "perpetual",
        "symbolStatus": "normal",
        "makerFeeRate": "0.0002",
        "takerFeeRate": "0.0006",
        "minTradeNum": "0.0001",
        "minTradeUSDT": str(MIN_ORDER_USDT),
        "pricePlace": "1",
        "priceEndStep": "1",
        "volumePlace": "4",
        "sizeMultiplier": "0.0001",
        "minLever": "1",
        "maxLever": "125",
        "launchTime": "",
        "deliveryTime": "",
    }


def _margin_currencies(_context: RequestContext) -> Any:
    return []


ROUTES = {
    ("GET", path): Endpoint(route=route, kind="open")
    for path, route in (
        ("/api/v2/public/time", _server_time),
        ("/api/v2/spot/market/tickers", _spot_tickers),
        ("/api/v2/mix/market/ticker", _futures_ticker),
        ("/api/v2/mix/market/tickers", _futures_tickers),
        (f"{_PUBLIC}/coins", _coins),
        (f"{_PUBLIC}/symbols", _symbols),
        ("/api/v2/mix/market/contracts", _contracts),
        ("/api/v2/margin/currencies", _margin_currencies),
    )
}
