"""Admits requests that are signed as Bitget's: key, timestamp, signature, receive window, limits, in this order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..exchange.auth import Authenticator
    from .endpoint import HttpRequest

__all__ = ["BitgetAdmission"]


class BitgetAdmission:
    """The checks of Bitget. Safe across threads."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def admit(self, request: HttpRequest, now: float) -> Mapping[str, str]:
        """Check a request and return how many more its endpoint's limit allows this second, as a header.

        Raises:
            RefusedError: the key, timestamp, signature or receive window is wrong, or the limit is exceeded.
        """
        checks = self._authenticator
        checks.check(request.method, request.path, request.query, request.body, request.headers, now)
        checks.check_receive_window(request.params, now)
        # The limit comes last: a request that is not authenticated does not use it up.
        return {"x-mbx-used-remain-limit": str(checks.count_request(request.path, now))}

    def signed_at(self, request: HttpRequest) -> float | None:
        """Return the Unix time of the timestamp, which is in milliseconds and has 13 digits until the year 2286."""
        stamp = request.headers.get("access-timestamp", "")
        return int(stamp) / 1000 if stamp.isdecimal() and len(stamp) == 13 else None

    def window(self, request: HttpRequest) -> float:  # noqa: ARG002  # other exchanges read it in the request
        """Return for how many seconds a timestamp is accepted, whatever the request."""
        return self._authenticator.window
