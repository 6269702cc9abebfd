"""Routes each HTTP request to its endpoint, whatever the market, or to the sandbox's own controls."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from ...console.browser_requests import refusal
from ..exchange.order_store import RefusedError
from . import account, futures, generic_http, market_data, spot, unified
from .answers import Reply, envelope
from .endpoint import Endpoint, HttpRequest

if TYPE_CHECKING:
    from .dispatch import RequestDispatcher

__all__ = ["Router"]

_ROUTES: Mapping[tuple[str, str], Endpoint] = {
    **market_data.ROUTES,
    **account.ROUTES,
    **spot.ROUTES,
    **futures.ROUTES,
    **unified.ROUTES,
    **generic_http.ROUTES,
}
Control = Callable[[str, str, str], Reply]
"""Answers a request to the sandbox's own controls: (method, path, body) -> reply."""


class Router:
    """Answers HTTP requests. Safe across threads.

    Attributes:
        requests: API requests since the last reset; controls are not counted.
    """

    def __init__(self, dispatcher: RequestDispatcher, control: Control) -> None:
        self.requests = 0
        self._dispatcher, self._control = dispatcher, control
        self._lock = Lock()

    def respond(self, method: str, target: str, body: str, headers: Mapping[str, str]) -> Reply:
        """Return the answer to a request; `target` is its path and query, header names are in lower case."""
        url = urlsplit(target)
        if url.path.startswith("/sandbox/"):
            if (reason := refusal(headers)) is not None:
                return Reply(403, json.dumps({"error": reason}).encode())
            return self._control(method, url.path, body)
        # Counted before the routing: unknown paths are requests too.
        with self._lock:
            self.requests += 1
        now = self._dispatcher.clock.now
        endpoint = _ROUTES.get((method, url.path))
        if endpoint is None:
            return envelope("40404", "Request URL NOT FOUND", None, now(), 404)
        try:
            params = _parse_params(method, url.query, body)
            request = HttpRequest(method, url.path, url.query, body, params, headers)
            return self._dispatcher.dispatch(endpoint, request)
        except RefusedError as error:
            return endpoint.format_reply(error.code, error.message, None, now(), error.status)

    def reset_count(self) -> None:
        """Count requests from 0."""
        with self._lock:
            self.requests = 0


def _parse_params(method: str, query: str, body: str) -> dict[str, Any]:
    if method == "GET":
        return dict(parse_qsl(query, keep_blank_values=True))
    try:
        params = json.loads(body or "{}")
    except ValueError:
        params = None
    if not isinstance(params, dict):
        raise RefusedError("40020", "Parameter body error")
    return params
