"""Defines OKX's REST API: its routes, its markets, and the addresses of ccxt's class."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from ...rest.answers import Reply
from ...rest.rest_dialect import RestDialect
from . import okx_conditional, okx_market_data, okx_queries, okx_writes
from .okx_admission import OkxAdmission
from .okx_answers import format_reply, refused
from .okx_socket import OKX_SOCKET

__all__ = ["OKX"]


def _parse(method: str, query: str, body: str) -> dict[str, Any]:
    """Return the parameters of a request; those of a batch, which is a list, are under `items`.

    Raises:
        RefusedError: the body is no JSON object or list.
    """
    if method == "GET":
        return dict(parse_qsl(query, keep_blank_values=True))
    try:
        params = json.loads(body or "{}")
    except ValueError:
        params = None
    if isinstance(params, list):
        return {"items": params}
    if not isinstance(params, dict) or "items" in params:
        raise refused("50002", "JSON syntax error", 400)
    return params


def _unknown_path(now: float) -> Reply:
    return format_reply("404", "Not Found", None, now, 404)


def _large_body(now: float) -> Reply:
    return format_reply("50000", "Body can not be larger than this.", None, now, 413)


OKX = RestDialect(
    name="okx",
    routes={**okx_market_data.ROUTES, **okx_writes.ROUTES, **okx_queries.ROUTES, **okx_conditional.ROUTES},
    markets={"spot": okx_writes.MARKET, "swap": okx_writes.MARKET, "conditional": okx_conditional.MARKET},
    admission=OkxAdmission,
    unknown_path=_unknown_path,
    large_body=_large_body,
    parse=_parse,
    ccxt_urls={"rest": ""},
    order_socket=OKX_SOCKET,
)
