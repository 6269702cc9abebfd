"""Defines Binance's REST API: its routes, its markets, and the addresses of ccxt's class."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from ...rest.answers import Reply
from ...rest.rest_dialect import RestDialect
from . import binance_conditional, binance_futures, binance_market_data, binance_spot
from .binance_admission import BinanceAdmission
from .binance_answers import format_reply
from .binance_socket import BINANCE_SOCKET

__all__ = ["BINANCE"]

_PATHS = {
    "sapi": "/sapi/v1", "sapiV2": "/sapi/v2", "sapiV3": "/sapi/v3", "sapiV4": "/sapi/v4",
    "dapiPublic": "/dapi/v1", "dapiPrivate": "/dapi/v1", "dapiPrivateV2": "/dapi/v2", "dapiData": "/futures/data",
    "eapiPublic": "/eapi/v1", "eapiPrivate": "/eapi/v1",
    "fapiPublic": "/fapi/v1", "fapiPublicV2": "/fapi/v2", "fapiPublicV3": "/fapi/v3",
    "fapiPrivate": "/fapi/v1", "fapiPrivateV2": "/fapi/v2", "fapiPrivateV3": "/fapi/v3", "fapiData": "/futures/data",
    "public": "/api/v3", "private": "/api/v3", "v1": "/api/v1", "papi": "/papi/v1", "papiV2": "/papi/v2",
}  # fmt: skip


def _parse(_method: str, query: str, body: str) -> dict[str, Any]:
    """Return the parameters of the query and of the form in the body; the query wins if a name is in both."""
    return dict(parse_qsl(body, keep_blank_values=True)) | dict(parse_qsl(query, keep_blank_values=True))


def _unknown_path(_now: float) -> Reply:
    return Reply(404, b"<html><head><title>404 Not Found</title></head></html>", "text/html")


def _large_body(now: float) -> Reply:
    return format_reply("-1101", "Too many parameters sent for this endpoint.", None, now, 413)


BINANCE = RestDialect(
    name="binance",
    routes={
        **binance_market_data.ROUTES,
        **binance_spot.ROUTES,
        **binance_futures.ROUTES,
        **binance_conditional.ROUTES,
    },
    markets={"spot": binance_spot.MARKET, "swap": binance_futures.MARKET, "conditional": binance_conditional.MARKET},
    admission=BinanceAdmission,
    unknown_path=_unknown_path,
    large_body=_large_body,
    parse=_parse,
    ccxt_urls=_PATHS,
    order_socket=BINANCE_SOCKET,
)
