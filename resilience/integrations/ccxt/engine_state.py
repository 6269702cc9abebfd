"""Keeps what an engine has beside the original exchange's state, and checks each request and each response.

Nothing of ccxt is imported: the integration passes its error classes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..._core.call.context import current_call
from ...telemetry.redaction import register_secret
from .exchange_support import ExchangeSupport
from .requests_sent import ATTEMPT, REQUEST, SentRequest, set_attribute

__all__ = ["EngineState", "ErrorClasses"]

_SECRETS = ("apiKey", "secret", "password", "privateKey", "token", "twofa")


class ErrorClasses(NamedTuple):
    """The error classes of ccxt that an engine raises."""

    unreadable: type[Exception]
    partial: type[Exception]
    timeout: type[Exception]
    rate_limit: type[Exception]
    bad_request: type[Exception]


class EngineState:
    """What an engine has beside the original exchange's state."""

    __slots__ = ("errors", "original", "registered", "support", "warned")

    def __init__(self, original: Any, support: ExchangeSupport | None, errors: ErrorClasses) -> None:
        self.original = original  # a reference that keeps it alive: ccxt's exchanges close their session in `__del__`
        self.support = support
        self.errors = errors
        self.warned = False
        self.registered: tuple[Any, ...] = ()

    def prepare_params(self, engine: Any, method: str, path: str, params: Any) -> Any:
        """Return the parameters to send, and register the exchange's credentials as secrets.

        Raises:
            Exception: `errors.bad_request`, if the parameters must not be sent.
        """
        credentials = tuple(getattr(engine, name, None) for name in _SECRETS)
        if credentials != self.registered:  # they may be set at any time, and are compared because that is cheap
            self.registered = credentials
            for credential in credentials:
                if isinstance(credential, str):
                    register_secret(credential)
        if self.support is None:
            return params
        try:
            return self.support.prepare_params(method, path, params)
        except ValueError as error:
            raise self.errors.bad_request(f"{engine.id} {error}") from None

    def report_stamp(self, request: Any) -> None:
        """Report the stamp of a signed request to the current call, before the request is sent."""
        call = current_call()
        if self.support is None or call is None or not isinstance(request, Mapping):
            return
        stamp = self.support.stamp(request.get("headers") or {})
        if stamp is not None:
            call.stamp(stamp)

    def begin_request(self, engine: Any, url: str, method: str) -> SentRequest:
        """Record that a request is about to be sent.

        Raises:
            Exception: `errors.timeout`, if the attempt has no time left.
        """
        call, attempt = current_call(), ATTEMPT.get()
        if call is not None and call.timeout == 0:
            raise self.errors.timeout(f"{engine.id} {method} {url}")
        if attempt is not None:
            attempt.record(reads=method == "GET" and self.support is not None and self.support.reads_by_get)
        request = REQUEST.get() or SentRequest(method, None)
        request.sent_at = time.monotonic()
        return request

    def record_failure(self, request: SentRequest, error: Exception) -> bool:
        """Set the response's status and headers on an error; return whether to request the exchange's time."""
        if request.status is None:
            return False
        set_attribute(error, "http_status", request.status)
        set_attribute(error, "headers", request.headers)
        ask = self.support is not None and self.support.learn_rejection(request.text, request.sent_at)
        attempt = ATTEMPT.get()
        # The request for the time counts as a read. If that one is rejected, it is not sent again.
        return ask and (attempt is None or not attempt.nested_reads)

    def learn_time(self, milliseconds: Any, sent_at: float) -> None:
        """Let the support module learn the exchange's time; `sent_at` is the monotonic time of the request."""
        if self.support is not None and milliseconds:
            self.support.learn_time(milliseconds, sent_at)

    def check_response(self, engine: Any, url: str, request: SentRequest, response: Any) -> Any:
        """Return the response, unless its body says that it is not a success.

        Raises:
            Exception: `errors.unreadable` or `errors.partial`, with the response as `body`.
        """
        if request.path is None:
            return response
        # ccxt returns a body that it cannot parse as a string.
        if isinstance(response, str) and response.lstrip()[:1] in ("{", "[", "<"):
            raise self.errors.unreadable(f"{engine.id} {request.method} {url}: the response cannot be read")
        support = self.support
        problem = None if support is None else support.find_problem(request.method, request.path, response)
        if problem is None:
            return response
        kind, reason = problem
        body = json.dumps(response, default=str) if kind == "partial" else f"{request.method} {url}: {reason}"
        error = (self.errors.partial if kind == "partial" else self.errors.unreadable)(f"{engine.id} {body}")
        set_attribute(error, "body", response)
        raise error
