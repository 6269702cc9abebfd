"""Routes that need no key: the time and the prices."""

from __future__ import annotations

from typing import Any

from .endpoint import Endpoint, Turn
from .rules import needed, product

__all__ = ["ROUTES"]


def _time(turn: Turn) -> Any:
    return {"serverTime": str(int(turn.now * 1000))}


def _tickers(turn: Turn) -> Any:
    return turn.exchange.ticker(turn.params.get("symbol"))


def _mix_ticker(turn: Turn) -> Any:
    product(turn.params)
    needed(turn.params, ("symbol",))
    return turn.exchange.ticker(turn.params["symbol"])


ROUTES = {
    ("GET", "/api/v2/public/time"): Endpoint(act=_time, kind="open"),
    ("GET", "/api/v2/spot/market/tickers"): Endpoint(act=_tickers, kind="open"),
    ("GET", "/api/v2/mix/market/ticker"): Endpoint(act=_mix_ticker, kind="open"),
}
