"""What an engine has beside the original's state: what it does with each request and each answer.

Nothing of ccxt is imported: the integration hands its error classes over.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..._core.call.context import current_call
from ...telemetry.redaction import register_secret
from .exchange_support import Venue
from .requests_sent import ATTEMPT, REQUEST, Request, leave

__all__ = ["Parts", "State"]

_SECRETS = ("apiKey", "secret", "password", "privateKey", "token", "twofa")


class Parts(NamedTuple):
    """Classes of ccxt's errors, by what is said with them."""

    unreadable: type[Exception]
    partial: type[Exception]
    late: type[Exception]
    crowded: type[Exception]
    wrong: type[Exception]


class State:
    """What an engine has beside the original's state."""

    __slots__ = ("known", "original", "parts", "venue", "warned")

    def __init__(self, original: Any, venue: Venue | None, parts: Parts) -> None:
        self.original = original  # kept alive: ccxt's exchanges close their session when they go
        self.venue = venue
        self.parts = parts
        self.warned = False
        self.known: tuple[Any, ...] = ()

    def prepared(self, engine: Any, method: str, path: str, params: Any) -> Any:
        """Return the parameters to send; the exchange's credentials are secrets from here on."""
        held = tuple(getattr(engine, name, None) for name in _SECRETS)
        if held != self.known:
            self.known = held
            for one in held:
                if isinstance(one, str):
                    register_secret(one)
        if self.venue is None:
            return params
        try:
            return self.venue.prepared(method, path, params)
        except ValueError as error:
            raise self.parts.wrong(f"{engine.id} {error}") from None

    def signed(self, request: Any) -> None:
        """Tell the stamp of a signed request before it leaves."""
        call = current_call()
        if self.venue is None or call is None or not isinstance(request, Mapping):
            return
        stamp = self.venue.stamp(request.get("headers") or {})
        if stamp is not None:
            call.stamp(stamp)

    def begins(self, engine: Any, url: str, method: str) -> Request:
        """Begin a request, unless the attempt's time is up."""
        call, attempt = current_call(), ATTEMPT.get()
        if call is not None and call.timeout == 0:
            raise self.parts.late(f"{engine.id} {method} {url}")
        if attempt is not None:
            attempt.sends(reads=method == "GET" and self.venue is not None and self.venue.reads_by_get)
        request = REQUEST.get() or Request(method, None)
        request.began = time.monotonic()
        return request

    def failed(self, request: Request, error: Exception) -> bool:
        """Put the answer's status and headers on an error; True when the exchange's time has to be asked for."""
        if request.status is None:
            return False
        leave(error, "http_status", request.status)
        leave(error, "headers", request.headers)
        unclear = self.venue is not None and self.venue.refused(request.text, request.began)
        attempt = ATTEMPT.get()
        return unclear and (attempt is None or not attempt.reading)  # asking for the time is reading: once is enough

    def told(self, at: Any, began: float) -> None:
        """Let the venue learn the exchange's time, asked for at a monotonic instant."""
        if self.venue is not None and at:
            self.venue.told(at, began)

    def judged(self, engine: Any, url: str, request: Request, answer: Any) -> Any:
        """Return the answer of a success, or raise what it really says."""
        if request.path is None:
            return answer
        if isinstance(answer, str) and answer.lstrip()[:1] in ("{", "[", "<"):
            raise self.parts.unreadable(f"{engine.id} {request.method} {url}: the answer cannot be read")
        told = None if self.venue is None else self.venue.doubt(request.method, request.path, answer)
        if told is None:
            return answer
        kind, why = told
        body = json.dumps(answer, default=str) if kind == "partial" else f"{request.method} {url}: {why}"
        error = (self.parts.partial if kind == "partial" else self.parts.unreadable)(f"{engine.id} {body}")
        leave(error, "body", answer)
        raise error
