"""Routes about the account: what it holds."""

from __future__ import annotations

from typing import Any

from .desk import Endpoint, Turn

__all__ = ["ROUTES"]


def _assets(turn: Turn) -> Any:
    return turn.exchange.balance(turn.params.get("coin"))


ROUTES = {("GET", "/api/v2/spot/account/assets"): Endpoint(act=_assets)}
