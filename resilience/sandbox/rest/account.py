"""Routes about the account: what it holds, and of what kind it is."""

from __future__ import annotations

from typing import Any

from ..exchange.order_rules import BALANCE, product
from .endpoint import Endpoint, Turn

__all__ = ["ROUTES"]


def _assets(turn: Turn) -> Any:
    """Return the balances, which are ample and never move."""
    asked = turn.params.get("coin")
    coins = [asked] if asked else ["BTC", "ETH", "SOL", "USDT"]
    return [{"coin": one, "available": str(BALANCE), "frozen": "0", "locked": "0"} for one in coins]


def _futures(turn: Turn) -> Any:
    """Return the futures account: one coin's margin, ample too."""
    product(turn.params)
    ample = str(BALANCE)
    whole = {"available": ample, "maxTransferOut": ample, "accountEquity": ample, "usdtEquity": ample, "locked": "0"}
    return [{"marginCoin": "USDT", **whole, "unrealizedPL": "0", "assetMode": "single"}]


def _settings(turn: Turn) -> Any:
    """Return a unified account's settings; the gate has turned a classic one away."""
    return {"assetMode": "union", "holdMode": "hedge_mode" if turn.exchange.hedge else "one_way_mode"}


ROUTES = {
    ("GET", "/api/v2/spot/account/assets"): Endpoint(act=_assets),
    ("GET", "/api/v2/mix/account/accounts"): Endpoint(act=_futures),
    ("GET", "/api/v3/account/settings"): Endpoint(act=_settings),
}
