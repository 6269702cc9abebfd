"""Routes that need no key: the time, the prices, and what there is to trade."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..exchange.order_rules import LEAST_USDT, PRICES, needed, product
from ..exchange.order_store import RefusedError
from .endpoint import Endpoint, Turn

__all__ = ["ROUTES"]

_PUBLIC = "/api/v2/spot/public"
_TICK = Decimal("0.01")
_PRODUCTS = ("USDT-FUTURES", "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES")


def _time(turn: Turn) -> Any:
    return {"serverTime": str(int(turn.now * 1000))}


def _prices(turn: Turn) -> dict[str, Decimal]:
    """Return the prices that are asked for."""
    symbol = turn.params.get("symbol")
    if symbol and symbol not in PRICES:
        raise RefusedError("40034", f"Parameter {symbol} does not exist")
    return {symbol: PRICES[symbol]} if symbol else PRICES


def _ticker(turn: Turn, symbol: str, price: Decimal) -> dict[str, str]:
    """Return a price as the API shows it; it never moves."""
    told = dict.fromkeys(("lastPr", "high24h", "low24h", "open", "open24h", "openUtc"), str(price))
    sides = {"bidPr": str(price - _TICK), "askPr": str(price + _TICK), "bidSz": "100", "askSz": "100"}
    volumes = {"baseVolume": "1000", "quoteVolume": str(price * 1000), "usdtVolume": str(price * 1000)}
    changes = {"change24h": "0", "changeUtc24h": "0", "ts": str(int(turn.now * 1000))}
    return {"symbol": symbol, **told, **sides, **volumes, **changes}


def _tickers(turn: Turn) -> Any:
    return [_ticker(turn, symbol, price) for symbol, price in _prices(turn).items()]


def _mix_tickers(turn: Turn) -> Any:
    product(turn.params)
    extra = {"fundingRate": "0", "holdingAmount": "1000"}
    return [
        {**_ticker(turn, symbol, price), "markPrice": str(price), "indexPrice": str(price), **extra}
        for symbol, price in _prices(turn).items()
    ]


def _mix_ticker(turn: Turn) -> Any:
    needed(turn.params, ("symbol",))
    return _mix_tickers(turn)


def _coins(turn: Turn) -> Any:
    coins = [*(symbol.removesuffix("USDT") for symbol in PRICES), "USDT"]
    asked = turn.params.get("coin")
    return [
        {"coinId": str(place + 1), "coin": coin, "transfer": "true", "chains": [], "areaCoin": "no"}
        for place, coin in enumerate(coins)
        if asked in (None, "", coin)
    ]


def _symbols(turn: Turn) -> Any:
    return [
        {
            "symbol": symbol,
            "baseCoin": symbol.removesuffix("USDT"),
            "quoteCoin": "USDT",
            "minTradeAmount": "0",
            "maxTradeAmount": "900000000",
            "takerFeeRate": "0.002",
            "makerFeeRate": "0.002",
            "pricePrecision": "2",
            "quantityPrecision": "6",
            "quotePrecision": "8",
            "status": "online",
            "minTradeUSDT": str(LEAST_USDT),
            "buyLimitPriceRatio": "0.05",
            "sellLimitPriceRatio": "0.05",
        }
        for symbol in _prices(turn)
    ]


def _contracts(turn: Turn) -> Any:
    """Return the contracts of a product; all but the USDT-margined ones have none."""
    needed(turn.params, ("productType",))
    if turn.params["productType"].upper() not in _PRODUCTS:
        raise RefusedError("40017", "Parameter verification failed productType")
    return [_contract(symbol) for symbol in _prices(turn)] if turn.params["productType"].upper() == _PRODUCTS[0] else []


def _contract(symbol: str) -> dict[str, Any]:
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
        "minTradeUSDT": str(LEAST_USDT),
        "pricePlace": "1",
        "priceEndStep": "1",
        "volumePlace": "4",
        "sizeMultiplier": "0.0001",
        "minLever": "1",
        "maxLever": "125",
        "launchTime": "",
        "deliveryTime": "",
    }


def _none(_turn: Turn) -> Any:
    return []


ROUTES = {
    ("GET", path): Endpoint(act=act, kind="open")
    for path, act in (
        ("/api/v2/public/time", _time),
        ("/api/v2/spot/market/tickers", _tickers),
        ("/api/v2/mix/market/ticker", _mix_ticker),
        ("/api/v2/mix/market/tickers", _mix_tickers),
        (f"{_PUBLIC}/coins", _coins),
        (f"{_PUBLIC}/symbols", _symbols),
        ("/api/v2/mix/market/contracts", _contracts),
        ("/api/v2/margin/currencies", _none),
    )
}
