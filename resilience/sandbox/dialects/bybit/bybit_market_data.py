"""Defines Bybit's routes of public data and of the account, as far as ccxt needs them to load markets."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from ...exchange.order_rules import BALANCE, MIN_ORDER_USDT, PRICES
from ...rest.endpoint import Endpoint, RequestContext
from .bybit_answers import format_reply, refused

__all__ = ["ROUTES"]

_TICK = Decimal("0.01")
_COINS = [*(symbol.removesuffix("USDT") for symbol in PRICES), "USDT"]
_CATEGORIES = ("spot", "linear", "inverse", "option")


def _category(context: RequestContext) -> str:
    category = str(context.params.get("category", ""))
    if category not in _CATEGORIES:
        raise refused(10001, "params error: Category is invalid")
    return category


def _time(context: RequestContext) -> Any:
    return {"timeSecond": str(int(context.now)), "timeNano": str(int(context.now * 1_000_000) * 1000)}


def _symbols(context: RequestContext) -> list[str]:
    """Return the requested symbols; the categories beside spot and linear have none."""
    wanted = context.params.get("symbol")
    spoken = context.params.get("category") in ("spot", "linear") and context.params.get("status") != "PreLaunch"
    return [symbol for symbol in PRICES if spoken and wanted in (None, "", symbol)]


def _instruments(context: RequestContext) -> Any:
    category = _category(context)
    make = _spot_row if category == "spot" else _linear_row
    return {"category": category, "list": [make(symbol) for symbol in _symbols(context)], "nextPageCursor": ""}


def _common_row(symbol: str) -> dict[str, Any]:
    coins = {"baseCoin": symbol.removesuffix("USDT"), "quoteCoin": "USDT"}
    return {"symbol": symbol, "status": "Trading", **coins, "priceFilter": {"tickSize": str(_TICK)}}


def _spot_row(symbol: str) -> dict[str, Any]:
    steps = {"basePrecision": "0.000001", "quotePrecision": "0.00000001", "minOrderQty": "0.000001"}
    lots = {**steps, "maxOrderQty": "900000000", "minOrderAmt": str(MIN_ORDER_USDT), "maxOrderAmt": str(BALANCE)}
    return {**_common_row(symbol), "innovation": "0", "marginTrading": "none", "lotSizeFilter": lots}


def _linear_row(symbol: str) -> dict[str, Any]:
    lots = {"minOrderQty": "0.0001", "maxOrderQty": "900000000", "qtyStep": "0.0001"}
    return {
        **_common_row(symbol),
        "contractType": "LinearPerpetual",
        "settleCoin": "USDT",
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100", "leverageStep": "0.01"},
        "lotSizeFilter": lots,
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
    }


def _tickers(context: RequestContext) -> Any:
    """Return the tickers; prices never move."""
    rows = []
    for symbol in _symbols(context):
        price = PRICES[symbol]
        prices = dict.fromkeys(("lastPrice", "prevPrice24h", "highPrice24h", "lowPrice24h"), str(price))
        sides = {"bid1Price": str(price - _TICK), "ask1Price": str(price + _TICK), "bid1Size": "100", "ask1Size": "100"}
        volumes = {"volume24h": "1000", "turnover24h": str(price * 1000), "price24hPcnt": "0"}
        rows.append({"symbol": symbol, **prices, **sides, **volumes})
    return {"category": _category(context), "list": rows}


def _coins(_context: RequestContext) -> Any:
    return {"rows": [{"name": coin, "coin": coin, "remainAmount": "0", "chains": []} for coin in _COINS]}


def _key_info(_context: RequestContext) -> Any:
    return {"id": "1", "readOnly": 0, "permissions": {}, "unified": 0, "uta": 1, "userID": 1, "isMaster": True}


def _account_info(_context: RequestContext) -> Any:
    return {"marginMode": "REGULAR_MARGIN", "unifiedMarginStatus": 6, "spotHedgingStatus": "OFF"}


def _wallet(_context: RequestContext) -> Any:
    """Return the balances, which are large and never change."""
    amounts = dict.fromkeys(("walletBalance", "equity", "availableToWithdraw", "free", "usdValue"), str(BALANCE))
    zeros = dict.fromkeys(("locked", "totalOrderIM", "totalPositionIM", "unrealisedPnl", "borrowAmount"), "0")
    coins = [{"coin": coin, **amounts, **zeros} for coin in _COINS]
    return {"list": [{"accountType": "UNIFIED", "totalEquity": str(BALANCE), "coin": coins}]}


_open = partial(Endpoint, kind="open", format_reply=format_reply)
_signed = partial(Endpoint, format_reply=format_reply)

ROUTES = {
    ("GET", "/v5/market/time"): _open(route=_time),
    ("GET", "/v5/market/instruments-info"): _open(route=_instruments),
    ("GET", "/v5/market/tickers"): _open(route=_tickers),
    ("GET", "/v5/asset/coin/query-info"): _signed(route=_coins),
    ("GET", "/v5/user/query-api"): _signed(route=_key_info),
    ("GET", "/v5/account/info"): _signed(route=_account_info),
    ("GET", "/v5/account/wallet-balance"): _signed(route=_wallet),
}
