"""Routes each HTTP request to its endpoint, whatever the market, or to the sandbox's own controls."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..exchange.order_store import RefusedError
from . import generic_http
from .answers import Reply
from .browser_requests import refusal
from .endpoint import HttpRequest
from .rest_dialect import parse_json_params

if TYPE_CHECKING:
    from .dispatch import RequestDispatcher
    from .rest_dialect import RestDialect

__all__ = ["Router"]

Control = Callable[[str, str, str], Reply]
"""Answers a request to the sandbox's own controls: (method, path, body) -> reply."""


class Router:
    """Answers HTTP requests. Safe across threads.

    Attributes:
        requests: API requests since the last reset; controls are not counted.
    """

    def __init__(self, dialect: RestDialect, dispatcher: RequestDispatcher, control: Control) -> None:
        self.requests = 0
        self._dialect, self._dispatcher, self._control = dialect, dispatcher, control
        # The plain HTTP API belongs to no exchange, so it is there beside each.
        self._routes = {**dialect.routes, **generic_http.ROUTES}
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
        endpoint = self._routes.get((method, url.path))
        if endpoint is None:
            return self._dialect.unknown_path(now())
        try:
            parse = parse_json_params if (method, url.path) in generic_http.ROUTES else self._dialect.parse
            params = parse(method, url.query, body)
            request = HttpRequest(method, url.path, url.query, body, params, headers)
            return self._dispatcher.dispatch(endpoint, request)
        except RefusedError as error:
            reply = endpoint.format_reply(error.code, error.message, None, now(), error.status)
            return reply._replace(headers=error.headers)

    def refuse_large_body(self) -> Reply:
        """Return the answer to a request whose body is too large to be read."""
        return self._dialect.large_body(self._dispatcher.clock.now())

    def reset_count(self) -> None:
        """Count requests from 0."""
        with self._lock:
            self.requests = 0
