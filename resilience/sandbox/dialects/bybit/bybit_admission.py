"""Admits requests that are signed as Bybit's: key, timestamp within the receive window, signature, limits."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from ...exchange.order_store import RefusedError
from ..request_counter import RequestCounter
from .bybit_answers import refused

if TYPE_CHECKING:
    from ...exchange.auth import Authenticator
    from ...rest.endpoint import HttpRequest

__all__ = ["BybitAdmission"]

_DEFAULT_WINDOW = 5000
_AHEAD = 1.0
"""Seconds by which a timestamp may be ahead of the exchange's clock."""
_WRITE_LIMITS, _READ_LIMIT = {"spot": 20, "linear": 10}, 50
"""Requests per second, by category; each order of a batch counts."""


class BybitAdmission:
    """The checks of Bybit. Safe across threads."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._account, self._counter = authenticator, RequestCounter()

    def admit(self, request: HttpRequest, now: float) -> Mapping[str, str]:
        """Check a request and return what is left of the endpoint's limit, as headers.

        Raises:
            RefusedError: the key, timestamp or signature is wrong, or the limit is exceeded.
        """
        headers = request.headers
        if not headers.get("x-bapi-api-key") or not headers.get("x-bapi-sign"):
            raise refused(10003, "API key is invalid.", 401)
        # compare_digest takes bytes, because it raises TypeError for a str with characters beyond ASCII.
        if not hmac.compare_digest(headers["x-bapi-api-key"].encode(), self._account.key.encode()):
            raise refused(10003, "API key is invalid.")
        self._check_clock(request, now)
        text = headers["x-bapi-timestamp"] + self._account.key + headers.get("x-bapi-recv-window", "")
        text += request.query if request.method == "GET" else request.body
        expected = hmac.new(self._account.secret.encode(), text.encode(), sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), headers["x-bapi-sign"].encode()):
            raise refused(10004, "Error sign, please check your signature generation algorithm.")
        if request.method != "GET" and not self._account.can_trade:
            raise refused(10005, "Permission denied, please check your API key permissions.")
        return self._count(request, now)

    def signed_at(self, request: HttpRequest) -> float | None:
        """Return the Unix time of the timestamp, which is in milliseconds."""
        stamp = request.headers.get("x-bapi-timestamp", "")
        return int(stamp) / 1000 if stamp.isdecimal() and len(stamp) == 13 else None

    def window(self, request: HttpRequest) -> float:
        """Return the receive window of a request, or the default; at most the sandbox's own window."""
        text = request.headers.get("x-bapi-recv-window", "")
        return min((int(text) if text.isdecimal() else _DEFAULT_WINDOW) / 1000, self._account.window)

    def _check_clock(self, request: HttpRequest, now: float) -> None:
        stamp, window = self.signed_at(request), self.window(request)
        if stamp is not None and now - window <= stamp < now + _AHEAD:
            return
        sent = request.headers.get("x-bapi-timestamp", "")
        times = f"req_timestamp[{sent}],server_timestamp[{int(now * 1000)}],recv_window[{int(window * 1000)}]"
        raise refused(10002, f"invalid request, please check your server timestamp or recv_window param. {times}")

    def _count(self, request: HttpRequest, now: float) -> Mapping[str, str]:
        category = str(request.params.get("category", ""))
        limit = _READ_LIMIT if request.method == "GET" else _WRITE_LIMITS.get(category, _READ_LIMIT)
        batch = request.params.get("request")
        amount = max(1, len(batch)) if isinstance(batch, list) else 1
        used = self._counter.count(f"{request.path} {category}", 1, now, amount)
        reset = str((int(now) + 1) * 1000)
        left = {"X-Bapi-Limit": str(limit), "X-Bapi-Limit-Status": str(max(0, limit - used))}
        headers = {**left, "X-Bapi-Limit-Reset-Timestamp": reset}
        if self._account.limits and used > limit:
            raise RefusedError("10006", "Too many visits. Exceeded the API Rate Limit.", 200, headers)
        return headers
