"""Defines Bitget's REST API: V2 for classic accounts, V3 for unified ones."""

from __future__ import annotations

from ..exchange.order_store import FUTURES, SPOT
from ..rest import account, futures, market_data, spot, unified
from ..rest.answers import Reply, envelope
from ..rest.bitget_admission import BitgetAdmission
from ..rest.rest_dialect import RestDialect

__all__ = ["BITGET"]

_URL_KEYS = (
    "spot", "mix", "user", "p2p", "broker", "margin", "common", "tax", "convert", "copy", "earn", "uta",
)  # fmt: skip


def _unknown_path(now: float) -> Reply:
    return envelope("40404", "Request URL NOT FOUND", None, now, 404)


def _large_body(now: float) -> Reply:
    return envelope("40020", "Parameter body error", None, now, 413)


BITGET = RestDialect(
    name="bitget",
    routes={**market_data.ROUTES, **account.ROUTES, **spot.ROUTES, **futures.ROUTES, **unified.ROUTES},
    markets={"spot": SPOT, "mix": FUTURES},
    admission=BitgetAdmission,
    unknown_path=_unknown_path,
    large_body=_large_body,
    ccxt_urls=dict.fromkeys(_URL_KEYS, ""),
)
