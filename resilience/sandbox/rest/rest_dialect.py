"""Defines what makes up one exchange's REST API: its routes, its checks, its markets and its addresses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ..exchange.order_store import GENERIC, RefusedError

if TYPE_CHECKING:
    from ..dialects.order_socket import OrderSocket
    from ..exchange.auth import Authenticator
    from ..exchange.order_store import Market
    from .answers import Reply
    from .endpoint import Endpoint, RequestAdmission

__all__ = ["RestDialect", "parse_json_params"]


def parse_json_params(method: str, query: str, body: str) -> dict[str, Any]:
    """Return the parameters of a request whose body is a JSON object; those of a GET are in its query.

    Raises:
        RefusedError: the body is something else.
    """
    if method == "GET":
        return dict(parse_qsl(query, keep_blank_values=True))
    try:
        params = json.loads(body or "{}")
    except ValueError:
        params = None
    if not isinstance(params, dict):
        raise RefusedError("40020", "Parameter body error")
    return params


@dataclass(frozen=True, slots=True, kw_only=True)
class RestDialect:
    """One exchange's REST API over the sandbox's orders.

    Attributes:
        name: the exchange's name in ccxt.
        routes: method and path → endpoint.
        markets: the markets that orders can be planted in, by name.
        admission: makes the checks of signed requests, from the account's credentials.
        unknown_path, large_body: the answers to requests that no endpoint sees, from the Unix time.
        parse: returns the parameters of a request, from its method, query and body.
        ccxt_urls: the keys of `urls["api"]` of ccxt's class, with the path below the sandbox's address.
        order_socket: the socket by which orders are placed; None where none is spoken, or where it is no other than
            that of the streams.
    """

    name: str
    routes: Mapping[tuple[str, str], Endpoint]
    markets: Mapping[str, Market]
    admission: Callable[[Authenticator], RequestAdmission]
    unknown_path: Callable[[float], Reply]
    large_body: Callable[[float], Reply]
    parse: Callable[[str, str, str], dict[str, Any]] = parse_json_params
    ccxt_urls: Mapping[str, str]
    order_socket: OrderSocket | None = None

    def find_market(self, name: str) -> Market:
        """Return a market; `plain` is the plain HTTP API, which is there beside each exchange.

        Raises:
            ValueError: there is no such market.
        """
        markets = {**self.markets, GENERIC.name: GENERIC}
        if name not in markets:
            raise ValueError(f"market: expected {', '.join(markets)}, got {name!r}")
        return markets[name]
