"""Defines Bybit's REST API: its routes, its markets, and the addresses of ccxt's class."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from ...rest.answers import Reply
from ...rest.rest_dialect import RestDialect
from . import bybit_market_data, bybit_queries, bybit_writes
from .bybit_admission import BybitAdmission
from .bybit_answers import format_reply, refused
from .bybit_socket import BYBIT_SOCKET

__all__ = ["BYBIT"]


def _parse(method: str, query: str, body: str) -> dict[str, Any]:
    """Return the parameters of a request.

    Raises:
        RefusedError: the body is no JSON object.
    """
    if method == "GET":
        return dict(parse_qsl(query, keep_blank_values=True))
    try:
        params = json.loads(body or "{}")
    except ValueError:
        params = None
    if not isinstance(params, dict):
        raise refused(10001, "Request parameter error.")
    return params


def _unknown_path(_now: float) -> Reply:
    return Reply(404, b"<html>404 page not found</html>", "text/html; charset=UTF-8")


def _large_body(now: float) -> Reply:
    return format_reply("10001", "Request parameter error.", None, now, 413)


BYBIT = RestDialect(
    name="bybit",
    routes={**bybit_market_data.ROUTES, **bybit_writes.ROUTES, **bybit_queries.ROUTES},
    markets={"spot": bybit_writes.MARKETS["spot"], "swap": bybit_writes.MARKETS["linear"]},
    admission=BybitAdmission,
    unknown_path=_unknown_path,
    large_body=_large_body,
    parse=_parse,
    ccxt_urls=dict.fromkeys(("spot", "futures", "v2", "public", "private"), ""),
    order_socket=BYBIT_SOCKET,
)
