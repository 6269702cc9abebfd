"""Admits requests that are signed as OKX's: key, passphrase, timestamp, signature, `expTime`, limits."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from ..request_counter import RequestCounter
from .okx_answers import refused

if TYPE_CHECKING:
    from ...exchange.auth import Authenticator
    from ...rest.endpoint import HttpRequest

__all__ = ["OkxAdmission"]

_WINDOW = 30.0
"""Seconds by which a timestamp may differ from the exchange's clock, in either direction."""
_TRADE = "/api/v5/trade"
_EXPIRING = {f"{_TRADE}/{name}" for name in ("order", "batch-orders", "amend-order", "amend-batch-orders")}
"""The paths whose POST honours the header `expTime`; cancels do not."""
_LIMITS = {f"{_TRADE}/batch-orders": 300, f"{_TRADE}/orders-history": 40, f"{_TRADE}/orders-history-archive": 20}
_DEFAULT_LIMIT, _LIMIT_SECONDS = 60, 2
_HEADERS = {"key": "50103", "passphrase": "50104", "sign": "50106", "timestamp": "50107"}
"""Name of a header after `OK-ACCESS-`, and the code if it is missing."""


class OkxAdmission:
    """The checks of OKX. Safe across threads."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._account, self._counter = authenticator, RequestCounter()

    def admit(self, request: HttpRequest, now: float) -> Mapping[str, str]:
        """Check a request; OKX's answers have no headers about limits.

        Raises:
            RefusedError: a header is missing or wrong, the request has expired, or a limit is exceeded.
        """
        self._check_headers(request)
        self._check_clock(request, now)
        if not self._is_signed(request):
            raise refused("50113", "Invalid Sign", 401)
        if request.method != "GET" and not self._account.can_trade:
            raise refused("50120", "API key doesn't have permission to use this function", 401)
        if (expiry := _expiry(request)) is not None and now > expiry:
            raise refused("50036", "The expTime can't be earlier than the current system time.")
        self._count(request, now)
        return {}

    def signed_at(self, request: HttpRequest) -> float | None:
        """Return the Unix time of the timestamp, which is ISO 8601 with milliseconds, in UTC."""
        text = request.headers.get("ok-access-timestamp", "")
        try:
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None

    def window(self, request: HttpRequest) -> float:
        """Return for how long a request is accepted: until its `expTime`, at most for the sandbox's window."""
        longest = min(_WINDOW, self._account.window)
        expiry, stamp = _expiry(request), self.signed_at(request)
        return longest if expiry is None or stamp is None else max(0.0, min(longest, expiry - stamp))

    def _check_headers(self, request: HttpRequest) -> None:
        for name, code in _HEADERS.items():
            if not request.headers.get(f"ok-access-{name}"):
                raise refused(code, f'Request header "OK-ACCESS-{name.upper()}" can\'t be empty.', 401)
        for name, expected, code, text in (
            ("key", self._account.key, "50111", "Invalid OK-ACCESS-KEY"),
            ("passphrase", self._account.passphrase, "50105", "Request header OK-ACCESS-PASSPHRASE incorrect."),
        ):
            # compare_digest takes bytes, because it raises TypeError for a str with characters beyond ASCII.
            if not hmac.compare_digest(request.headers[f"ok-access-{name}"].encode(), expected.encode()):
                raise refused(code, text, 401)

    def _check_clock(self, request: HttpRequest, now: float) -> None:
        stamp = self.signed_at(request)
        if stamp is None:
            raise refused("50112", "Invalid OK-ACCESS-TIMESTAMP", 401)
        if abs(now - stamp) > min(_WINDOW, self._account.window):
            raise refused("50102", "Timestamp request expired", 401)

    def _is_signed(self, request: HttpRequest) -> bool:
        target = f"{request.path}?{request.query}" if request.query else request.path
        text = f"{request.headers['ok-access-timestamp']}{request.method}{target}{request.body}"
        digest = hmac.new(self._account.secret.encode(), text.encode(), sha256).digest()
        return hmac.compare_digest(base64.b64encode(digest), request.headers["ok-access-sign"].encode())

    def _count(self, request: HttpRequest, now: float) -> None:
        # Limits are per endpoint and instrument; a batch of one counts as a single order.
        single = request.path == f"{_TRADE}/batch-orders" and len(request.params.get("items", ())) == 1
        path = f"{_TRADE}/order" if single else request.path
        amount = max(1, len(request.params.get("items", ())))
        used = self._counter.count(f"{request.method} {path}", _LIMIT_SECONDS, now, amount)
        if self._account.limits and used > _LIMITS.get(path, _DEFAULT_LIMIT):
            raise refused("50011", "Too Many Requests", 429)


def _expiry(request: HttpRequest) -> float | None:
    text = request.headers.get("exptime", "")
    if request.method != "POST" or request.path not in _EXPIRING or not text.isdecimal():
        return None
    return int(text) / 1000
