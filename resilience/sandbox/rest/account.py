"""Defines the routes of the account: its balances and its settings."""

from __future__ import annotations

from typing import Any

from ..exchange.order_rules import BALANCE, check_product
from .endpoint import Endpoint, RequestContext

__all__ = ["ROUTES"]


def _spot_assets(context: RequestContext) -> Any:
    """Return the spot balances, which are large and never change."""
    coin = context.params.get("coin")
    coins = [coin] if coin else ["BTC", "ETH", "SOL", "USDT"]
    return [{"coin": name, "available": str(BALANCE), "frozen": "0", "locked": "0"} for name in coins]


def _futures_account(context: RequestContext) -> Any:
    """Return the futures account: the margin of one coin, which never changes either."""
    check_product(context.params)
    amounts = dict.fromkeys(("available", "maxTransferOut", "accountEquity", "usdtEquity"), str(BALANCE))
    return [{"marginCoin": "USDT", **amounts, "locked": "0", "unrealizedPL": "0", "assetMode": "single"}]


def _unified_settings(context: RequestContext) -> Any:
    """Return the settings of a unified account; authentication has rejected a classic one already."""
    return {"assetMode": "union", "holdMode": "hedge_mode" if context.exchange.hedge else "one_way_mode"}


ROUTES = {
    ("GET", "/api/v2/spot/account/assets"): Endpoint(route=_spot_assets),
    ("GET", "/api/v2/mix/account/accounts"): Endpoint(route=_futures_account),
    ("GET", "/api/v3/account/settings"): Endpoint(route=_unified_settings),
}
