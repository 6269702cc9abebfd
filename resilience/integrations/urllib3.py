"""Puts `urllib3.PoolManager` under a policy: the one file of this client, beside what all HTTP clients share."""

from __future__ import annotations

import io
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import urllib3
from urllib3 import exceptions
from urllib3.util import Retry

from .._entry.operation_rules import OperationRules
from ._http_messages import mark_not_sent, mark_unbuilt, mark_uncertain
from .http import ClientRequest, HttpAttempt, HttpClientSupport
from .requests.attempt import limit_timeout
from .requests.connections import guard_manager
from .requests.sent_bytes import recording_sent_bytes

__all__ = ["PoolManagerSupport", "wrap"]

MAX_REDIRECTS = 10  # where neither the caller nor the pool manager sets a number
_ROWS: Mapping[type, str] = {
    exceptions.NameResolutionError: "dns",
    exceptions.NewConnectionError: "connection_refused",
    exceptions.ConnectTimeoutError: "connect_timeout",
    exceptions.ReadTimeoutError: "read_timeout",
    exceptions.ResponseError: "too_many_redirects",
    ssl.SSLCertVerificationError: "tls",
}
"""Classes of errors → rows of `http.yaml`; the first that fits counts."""


class PoolManagerSupport(HttpClientSupport):
    """Says how `urllib3.PoolManager` and `urllib3.ProxyManager` work."""

    error_base = exceptions.HTTPError
    response_type = urllib3.BaseHTTPResponse
    request_method = "urlopen"  # `request` ends in it, and it calls itself for a redirect
    send_method = "urlopen"

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        guard_manager(client)

    def read_request(self, arguments: Mapping[str, Any]) -> ClientRequest:
        """Return the request of a caller, which is a finished one too."""
        headers, body = arguments.get("headers", self.client.headers), arguments.get("body")
        is_replayable = body is None or isinstance(body, (str, bytes))
        method, url = str(arguments["method"]), str(arguments["url"])
        return ClientRequest(method, url, headers, body if is_replayable else None, is_replayable)

    def set_attempt(self, arguments: dict[str, Any], attempt: HttpAttempt) -> None:
        """Set headers, time limit and redirects, and no retries."""
        defaults = self.client.connection_pool_kw
        retries = arguments.get("retries", defaults.get("retries"))
        arguments["headers"] = attempt.with_headers(arguments.get("headers", self.client.headers))
        arguments["timeout"] = limit_timeout(arguments.get("timeout", defaults.get("timeout")))
        arguments["redirect"] = attempt.follows_redirects and arguments.get("redirect", True)
        arguments["retries"] = _redirects_only(Retry.from_int(retries, redirect=arguments["redirect"]))

    def send(self, request: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Make one attempt, and find out whether an error was raised before anything was sent."""
        with recording_sent_bytes() as sent:
            try:
                response = request(**arguments)
            except Exception as error:
                if sent.proves_nothing_left:
                    mark_not_sent(error)
                elif not sent.has_begun:
                    mark_unbuilt(error, exceptions.HTTPError)
                elif sent.has_sent:
                    mark_uncertain(error)  # its class may say that the proxy was not reached
                raise
        response.resilience_sent = sent
        return response

    def read_body(self, response: Any) -> tuple[Any, bytes]:
        """Return the body; a response that the caller streams is replaced by one of the body that was read."""
        with recording_sent_bytes():  # bounds the time
            body: bytes = response.data
        return (response if isinstance(getattr(response, "_body", None), bytes) else _whole(response, body)), body

    def close(self, response: Any) -> None:
        """Close a response, which returns its connection to the pool."""
        response.close()
        response.release_conn()

    def discard_connection(self, response: Any) -> None:
        """Do not use the connection of an unreadable answer again."""
        response.resilience_sent.discard_connection()

    def make_response(self, body: bytes) -> urllib3.HTTPResponse:
        """Return a response with status 200 and this JSON body."""
        return urllib3.HTTPResponse(
            io.BytesIO(body), {"Content-Type": "application/json"}, 200, reason="OK", preload_content=False
        )

    def error_code(self, error: Exception) -> str | None:
        """Return the row of an error, or of the one that it wraps."""
        reason = getattr(error, "reason", None) or error
        reason = reason.args[0] if isinstance(reason, exceptions.SSLError) and reason.args else reason
        return next((row for cls, row in _ROWS.items() if isinstance(reason, cls)), None)


def wrap(client: Any, rules: OperationRules) -> Any:
    """Return a pool manager of the same class that shares the original's state, with every request under a policy."""
    return PoolManagerSupport.wrap(client, rules)


def _redirects_only(retries: Retry) -> Retry:
    redirects = retries.total if retries.redirect is None else retries.redirect
    redirects = MAX_REDIRECTS if redirects is None else int(redirects)
    return retries.new(
        total=None, connect=0, read=0, status=0, other=0, redirect=redirects, status_forcelist=(),
        respect_retry_after_header=False,
    )  # fmt: skip


def _whole(response: Any, body: bytes) -> urllib3.HTTPResponse:
    return urllib3.HTTPResponse(
        io.BytesIO(body),
        response.headers,
        response.status,
        reason=response.reason,
        version=response.version,
        preload_content=False,
        decode_content=False,  # the body is decoded
        request_url=response.geturl(),
        retries=response.retries,
    )
