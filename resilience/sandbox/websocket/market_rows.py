"""Builds the rows of tickers, trades and candles, in the shapes of V2 and V3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exchange.order_rules import PRICES
from .topics import channel_of

__all__ = ["market_row"]

_TICK = 1  # between the price and the best bid and ask
_SIZE = "100"


def market_row(version: str, arg: Mapping[str, Any], number: int, stamp: str) -> Any:
    """Return the row of an update. Rows that are objects also have the sandbox's own number of it, `seq`."""
    symbol = str(arg.get("instId") or arg.get("symbol") or "")
    if symbol not in PRICES:
        return {"seq": number}
    rows = _V3_ROWS if version == "v3" else _V2_ROWS
    name = next((name for name in rows if channel_of(arg).startswith(name)), None)
    if name is None:
        return {"seq": number}
    row = rows[name](symbol, number, stamp)
    return {**row, "seq": number} if isinstance(row, dict) else row


def _ticker(symbol: str, _number: int, stamp: str) -> dict[str, str]:
    price = PRICES[symbol]
    prices = dict.fromkeys(("lastPr", "open24h", "high24h", "low24h", "openUtc"), str(price))
    sides = {"bidPr": str(price - _TICK), "askPr": str(price + _TICK), "bidSz": _SIZE, "askSz": _SIZE}
    volumes = {"baseVolume": "0.0000", "quoteVolume": "0.0000", "change24h": "0.00", "changeUtc24h": "0"}
    return {"instId": symbol, **prices, **sides, **volumes, "ts": stamp}


def _ticker_v3(symbol: str, _number: int, _stamp: str) -> dict[str, str]:
    price = PRICES[symbol]
    prices = dict.fromkeys(("lastPrice", "openPrice24h", "highPrice24h", "lowPrice24h"), str(price))
    sides = {"bid1Price": str(price - _TICK), "ask1Price": str(price + _TICK), "bid1Size": _SIZE, "ask1Size": _SIZE}
    return {**prices, **sides, "volume24h": "0.0000", "turnover24h": "0.0000", "price24hPcnt": "0.00"}


def _trade(symbol: str, number: int, stamp: str) -> dict[str, str]:
    return {"ts": stamp, "price": str(PRICES[symbol]), "size": "0.0010", "side": "buy", "tradeId": str(number)}


def _trade_v3(symbol: str, number: int, stamp: str) -> dict[str, str]:
    return {"p": str(PRICES[symbol]), "S": "buy", "T": stamp, "v": "0.0010", "i": str(number), "L": str(number)}


def _candle(symbol: str, _number: int, stamp: str) -> list[str]:
    return [stamp, *[str(PRICES[symbol])] * 4, "0.0000", "0.0000", "0.0000"]


def _candle_v3(symbol: str, _number: int, stamp: str) -> dict[str, str]:
    prices = dict.fromkeys(("open", "high", "low", "close"), str(PRICES[symbol]))
    return {"start": stamp, **prices, "volume": "0.0000", "turnover": "0.0000"}


_V2_ROWS = {"ticker": _ticker, "trade": _trade, "candle": _candle}
_V3_ROWS = {"ticker": _ticker_v3, "publicTrade": _trade_v3, "kline": _candle_v3}
