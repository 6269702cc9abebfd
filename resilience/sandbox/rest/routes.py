"""Which endpoint answers which request, whatever the market."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from ..exchange.order_store import RefusedError
from . import account, spot, unified
from . import futures as mix
from . import generic_http as plain
from . import market_data as market
from .answers import Reply, envelope
from .controls import control
from .dispatch import answer
from .endpoint import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..server import Sandbox

__all__ = ["respond"]

_ROUTES = {**market.ROUTES, **account.ROUTES, **spot.ROUTES, **mix.ROUTES, **unified.ROUTES, **plain.ROUTES}


def respond(sandbox: Sandbox, method: str, target: str, body: str, headers: Mapping[str, str]) -> Reply:
    """Return the answer to a request; `target` is its path with its query, header names are in lower case."""
    url = urlsplit(target)
    if url.path.startswith("/sandbox/"):
        return control(sandbox, method, url.path, body)
    sandbox.counted()
    endpoint = _ROUTES.get((method, url.path))
    if endpoint is None:
        return envelope("40404", "Request URL NOT FOUND", None, sandbox.now(), 404)
    try:
        params = _params(method, url.query, body)
        return answer(sandbox, endpoint, Request(method, url.path, url.query, body, params, headers))
    except RefusedError as error:
        return endpoint.tell(error.code, error.message, None, sandbox.now(), error.status)


def _params(method: str, query: str, body: str) -> dict[str, Any]:
    if method == "GET":
        return dict(parse_qsl(query, keep_blank_values=True))
    try:
        params = json.loads(body or "{}")
    except ValueError:
        params = None
    if not isinstance(params, dict):
        raise RefusedError("40020", "Parameter body error")
    return params
