"""Describes the methods of ccxt by what is known of a venue: where their key goes, and the bounds of their orders."""

from __future__ import annotations

import re
import secrets
from typing import Any

from ..._core.stages.fence import Fence
from ...venues.known_venue import Venue, WriteSettings
from .method_names import MethodInfo, is_socket_call

__all__ = ["VenueMethods"]

_EDITS = re.compile(r"edit_(?:\w+_)?order(?:_\w+)?")
_CANCELS = re.compile(r"cancel_(?!all_)(?:\w+_)?order(?:_\w+)?")


class VenueMethods:
    """The methods of one venue. Safe across threads and tasks."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._by_name = {name.lower(): write for write in venue.writes for name in write.endpoints}

    def fields_of(self, method: MethodInfo) -> dict[str, Any]:
        """Return the fields of `OperationInfo` that each method has."""
        is_socket = is_socket_call(method.operation)
        return {
            "can_resync_clock": not is_socket, "signs": not is_socket, "fence": self._fence(method),
            "sends_window": self._sends_window(method),
        }  # fmt: skip

    def keys_of(self, method: MethodInfo) -> dict[str, Any] | None:
        """Return the fields of a method that can be looked up: its key and idempotency; None for any other."""
        shown, key = self._shown(method), self._venue.key
        if shown is None or not (key.prefix or key.digits != 32):
            return shown
        return {"make_key": lambda: f"{key.prefix}{secrets.token_hex(16)[: key.digits]}", **shown}

    def _shown(self, method: MethodInfo) -> dict[str, Any] | None:
        key = self._venue.key
        unified = f"params.{'|'.join(key.parameters)}"
        twin = method.operation.removesuffix("_ws")
        known = self._known(method)
        if known is not None and not self._venue.orders[known.order].queries:
            return None
        if known is not None:
            is_new = known.action in ("place", "replace")
            own = f"params.{known.key}" if known.key and is_new and not known.items else None
            return {"idempotent": not is_new, "key": own} if own or not is_new else None
        if method.key is not None:
            return {"key": unified}
        if _EDITS.fullmatch(twin):
            replacing = f"params.{'|'.join(key.replacing or key.parameters)}"
            return {"key": replacing} if self._venue.amends_by_key else {"idempotent": True}
        return {} if _CANCELS.fullmatch(twin) else None

    def _known(self, method: MethodInfo) -> WriteSettings | None:
        """Return what is known of the endpoint of an implicit method, or None."""
        return self._by_name.get(method.operation.replace("_", "").lower())

    def _sends_window(self, method: MethodInfo) -> bool:
        """Return whether every request that a method may send carries the window of the policy."""
        known = self._known(method)
        return all(write.expires for write in (self._venue.writes if known is None else (known,)))

    def _fence(self, method: MethodInfo) -> Fence:
        """Return bounds that hold for every order that a method may be about, for a request whose own are not known."""
        known, expiry = self._known(method), self._venue.expiry
        kinds = self._venue.orders.values() if known is None else (self._venue.orders[known.order],)
        lags = [order.lag for order in kinds]
        return Fence(
            window=max(expiry.send, expiry.without),
            processing=max(order.processing for order in kinds),
            # A read proves nothing. One that finds no order is sent once more, and its caller should not wait for long.
            lag=min(lags) if method.read else max(lags),
        )
