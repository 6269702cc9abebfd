"""Routes that need no key: the time and the prices."""

from __future__ import annotations

from typing import Any

from .desk import Endpoint, Turn

__all__ = ["ROUTES"]


def _time(turn: Turn) -> Any:
    return {"serverTime": str(int(turn.now * 1000))}


def _tickers(turn: Turn) -> Any:
    return turn.exchange.ticker(turn.params.get("symbol"))


ROUTES = {
    ("GET", "/api/v2/public/time"): Endpoint(act=_time, kind="open"),
    ("GET", "/api/v2/spot/market/tickers"): Endpoint(act=_tickers, kind="open"),
}
