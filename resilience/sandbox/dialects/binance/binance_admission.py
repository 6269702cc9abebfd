"""Admits requests that are signed as Binance's: key, timestamp within `recvWindow`, signature, limits."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from ...exchange.order_store import RefusedError
from ..request_counter import RequestCounter
from .binance_answers import require_sent

if TYPE_CHECKING:
    from ...exchange.auth import Authenticator
    from ...rest.endpoint import HttpRequest

__all__ = ["BinanceAdmission"]

_SIGNATURE = re.compile(r"(?:^|&)signature=[^&]*")
_DEFAULT_WINDOW, _MAX_WINDOW = 5.0, 60.0
_AHEAD = 1.0
"""Seconds by which a timestamp may be ahead of the exchange's clock."""
_WEIGHT_LIMIT = 6000
_ORDER_LIMITS = {"/api/v3/order": 100, "/fapi/v1/order": 300}
"""Orders per 10 s, by the path that places them."""
_WEIGHTS = {"/api/v3/order": 4, "/api/v3/openOrders": 6, "/api/v3/allOrders": 20, "/api/v3/myTrades": 20}


class BinanceAdmission:
    """The checks of Binance. Safe across threads."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._account, self._counter = authenticator, RequestCounter()

    def admit(self, request: HttpRequest, now: float) -> Mapping[str, str]:
        """Check a request and return how much of the limits is used, as headers.

        Raises:
            RefusedError: the key, timestamp or signature is wrong, or a limit is exceeded.
        """
        self._check_key(request)
        require_sent(request.params, "timestamp", "signature")
        self._check_clock(request, now)
        payload = _SIGNATURE.sub("", request.query) + _SIGNATURE.sub("", request.body)
        expected = hmac.new(self._account.secret.encode(), payload.encode(), sha256).hexdigest()
        # compare_digest takes bytes, because it raises TypeError for a str with characters beyond ASCII.
        if not hmac.compare_digest(expected.encode(), str(request.params["signature"]).encode()):
            raise RefusedError("-1022", "Signature for this request is not valid.")
        return self._count(request, now)

    def signed_at(self, request: HttpRequest) -> float | None:
        """Return the Unix time of the timestamp, which is in milliseconds, or in microseconds."""
        stamp = str(request.params.get("timestamp", ""))
        if not stamp.isdecimal() or len(stamp) not in (13, 16):
            return None
        return int(stamp) / (1000 if len(stamp) == 13 else 1_000_000)

    def window(self, request: HttpRequest) -> float:
        """Return the `recvWindow` of a request, or the default; at most the sandbox's own window."""
        try:
            window = float(request.params.get("recvWindow") or _DEFAULT_WINDOW * 1000) / 1000
        except ValueError:
            window = _DEFAULT_WINDOW
        return min(window, self._account.window)

    def _check_key(self, request: HttpRequest) -> None:
        key = request.headers.get("x-mbx-apikey", "")
        if not key:
            raise RefusedError("-2014", "API-key format invalid.", 401)
        allowed = self._account.can_trade or request.method == "GET"
        if not hmac.compare_digest(key.encode(), self._account.key.encode()) or not allowed:
            raise RefusedError("-2015", "Invalid API-key, IP, or permissions for action.", 401)

    def _check_clock(self, request: HttpRequest, now: float) -> None:
        stamp = self.signed_at(request)
        if stamp is None:
            raise RefusedError("-1102", "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.")
        if not _is_window(str(request.params.get("recvWindow") or "5000")):
            raise RefusedError("-1131", "recvWindow must be less than 60000.")
        if stamp >= now + _AHEAD:
            raise RefusedError("-1021", "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - stamp > self.window(request):
            raise RefusedError("-1021", "Timestamp for this request is outside of the recvWindow.")

    def _count(self, request: HttpRequest, now: float) -> Mapping[str, str]:
        weight = _WEIGHTS.get(request.path, 1) if request.method == "GET" else 1
        used = self._counter.count("weight", 60, now, weight)
        headers = {"X-MBX-USED-WEIGHT-1M": str(used)}
        if self._account.limits and used > _WEIGHT_LIMIT:
            text = f"Too much request weight used; current limit is {_WEIGHT_LIMIT} request weight per 1 MINUTE."
            raise RefusedError("-1003", text, 429, {**headers, "Retry-After": str(60 - int(now) % 60)})
        limit = _ORDER_LIMITS.get(request.path) if request.method == "POST" else None
        if limit is None:
            return headers
        orders = self._counter.count(request.path, 10, now)
        headers["X-MBX-ORDER-COUNT-10S"] = str(orders)
        if self._account.limits and orders > limit:
            text = f"Too many new orders; current limit is {limit} orders per 10 SECOND."
            raise RefusedError("-1015", text, 429, {**headers, "Retry-After": str(10 - int(now) % 10)})
        return headers


def _is_window(text: str) -> bool:
    return re.fullmatch(r"\d{1,5}(\.\d{1,3})?", text, re.ASCII) is not None and 0 < float(text) <= _MAX_WINDOW * 1000
