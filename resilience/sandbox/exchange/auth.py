"""Authenticates private requests: key, account mode, environment, clock, signature, passphrase, permission, limits."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import Any
from urllib.parse import unquote_plus

from .order_store import RefusedError

__all__ = ["Authenticator"]

_LIMITS = {
    "/api/v2/spot/trade/place-order": 10,
    "/api/v2/spot/trade/cancel-order": 10,
    "/api/v2/spot/trade/batch-orders": 5,
    "/api/v2/spot/trade/cancel-replace-order": 5,
    "/api/v2/mix/order/place-order": 10,
    "/api/v2/mix/order/cancel-order": 10,
    "/api/v2/mix/order/modify-order": 10,
    "/api/v2/mix/order/detail": 10,
    "/api/v2/mix/order/orders-pending": 10,
    "/api/v2/mix/order/orders-history": 10,
    "/api/v2/mix/account/accounts": 10,
    "/api/v3/trade/place-order": 10,
    "/api/v3/trade/cancel-order": 10,
}
_DEFAULT_LIMIT = 20  # requests per second and endpoint


@dataclass
class Authenticator:
    """The checks that a private request must pass. Safe across threads.

    Attributes:
        window: seconds for which a request's timestamp is accepted.
        limits: whether the real exchange's rate limits apply.
        can_trade: whether the key may place orders.
        demo: whether the key is a demo key, which needs the header `paptrading: 1`.
        unified: whether the account is a unified one, which V2 endpoints reject.
    """

    key: str
    secret: str
    passphrase: str
    window: float
    limits: bool = True
    can_trade: bool = True
    demo: bool = False
    unified: bool = False
    _used: dict[tuple[str, int], int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def check(self, method: str, path: str, query: str, body: str, headers: Mapping[str, str], now: float) -> None:
        """Check the headers of a private request in the order in which the real exchange does.

        Raises:
            RefusedError: a header is missing or wrong, the timestamp is too old, or the request is not allowed.
        """
        self._check_key(headers)
        self._check_account(path)
        if (headers.get("paptrading") == "1") != self.demo:
            raise RefusedError("40099", "exchange environment is incorrect")
        stamp = headers.get("access-timestamp", "")
        self._check_clock(stamp, now)
        if not self._signature_matches(stamp, method, path, query, body, headers.get("access-sign", "")):
            raise RefusedError("40009", "sign signature error")
        if not hmac.compare_digest(headers["access-passphrase"].encode(), self.passphrase.encode()):
            raise RefusedError("40012", "apikey/password is incorrect")
        if method == "POST" and not self.can_trade:
            raise RefusedError("40014", "Incorrect permissions")

    def _check_key(self, headers: Mapping[str, str]) -> None:
        key = headers.get("access-key", "")
        if not key:
            raise RefusedError("40006", "Invalid ACCESS_KEY")
        if not headers.get("access-passphrase"):
            raise RefusedError("40011", "ACCESS_PASSPHRASE header cannot be empty")
        # compare_digest takes bytes, because it raises TypeError for a str with characters beyond ASCII.
        if not hmac.compare_digest(key.encode(), self.key.encode()):
            raise RefusedError("40037", "Apikey does not exist")

    def _check_account(self, path: str) -> None:
        # The real exchange checks the account mode before the timestamp and the signature.
        if self.unified and not path.startswith("/api/v3/"):
            raise RefusedError("40085", "You are in Unified account mode, and the Classic Account API is not supported")
        if not self.unified and path.startswith("/api/v3/"):
            raise RefusedError("40084", "You are in Classic Account mode, and the Unified Account API is not supported")

    def _check_clock(self, stamp: str, now: float) -> None:
        # Milliseconds since 1970 have 13 digits until the year 2286; a timestamp in seconds is an error.
        if not (stamp.isdecimal() and len(stamp) == 13):
            raise RefusedError("40005", "Invalid ACCESS_TIMESTAMP")
        if abs(now - int(stamp) / 1000) > self.window:
            raise RefusedError("40008", "Request timestamp expired")

    def _signature_matches(self, stamp: str, method: str, path: str, query: str, body: str, signature: str) -> bool:
        """Accept a query that was signed as it was sent, or with its values decoded."""
        # A signature covers the query string; clients differ in whether they encode the values before they sign.
        for signed_query in dict.fromkeys((query, unquote_plus(query))):
            prehash = f"{stamp}{method}{path}{'?' + signed_query if signed_query else ''}{body}"
            digest = hmac.new(self.secret.encode(), prehash.encode(), sha256).digest()
            if hmac.compare_digest(base64.b64encode(digest).decode(), signature):
                return True
        return False

    def check_receive_window(self, params: Mapping[str, Any], now: float) -> None:
        """Check the receive window of a request that carries one.

        Raises:
            RefusedError: the window has passed, or is not valid.
        """
        if "receiveWindow" not in params or "requestTime" not in params:
            return
        try:
            window, sent = int(params["receiveWindow"]) / 1000, int(params["requestTime"]) / 1000
        except (TypeError, ValueError):
            raise RefusedError("40017", "Parameter verification failed receiveWindow") from None
        if not 0 < window < 60:
            raise RefusedError("40079", "receiveWindow must be less than 60 seconds")
        if now - sent > window:
            raise RefusedError("40078", "The request is outside its receive window")

    def count_request(self, path: str, now: float) -> int:
        """Count a request against its endpoint's limit and return how many more are allowed this second.

        Raises:
            RefusedError: the limit is exceeded.
        """
        limit = _LIMITS.get(path, _DEFAULT_LIMIT)
        with self._lock:
            # A fixed window of one second, so a burst across two seconds may be twice the limit.
            second = int(now)
            if len(self._used) > 1000:  # counts of past seconds are of no use; this bounds the memory of a long run
                self._used = {slot: count for slot, count in self._used.items() if slot[1] == second}
            used = self._used[path, second] = self._used.get((path, second), 0) + 1
        if used > limit and self.limits:
            raise RefusedError("429", "Too Many Requests", 429)
        return max(0, limit - used)
