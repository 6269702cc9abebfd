"""Routes about the account: what it holds."""

from __future__ import annotations

from typing import Any

from .endpoint import Endpoint, Turn
from .rules import BALANCE, product

__all__ = ["ROUTES"]


def _assets(turn: Turn) -> Any:
    return turn.exchange.balance(turn.params.get("coin"))


def _futures(turn: Turn) -> Any:
    """Return the futures account: one coin's margin, ample too."""
    product(turn.params)
    ample = str(BALANCE)
    whole = {"available": ample, "maxTransferOut": ample, "accountEquity": ample, "usdtEquity": ample, "locked": "0"}
    return [{"marginCoin": "USDT", **whole, "unrealizedPL": "0", "assetMode": "single"}]


ROUTES = {
    ("GET", "/api/v2/spot/account/assets"): Endpoint(act=_assets),
    ("GET", "/api/v2/mix/account/accounts"): Endpoint(act=_futures),
}
