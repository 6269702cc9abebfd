"""Compares an order that a lookup found with the call it was looked up for: client id, then symbol and side.

Only what both sides say is compared. A key that belongs to another order must never settle this call's write.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from .reconcile import Found
from .steps import FailedCall

__all__ = ["CLIENT_ID_FIELDS", "conflict_of"]

CLIENT_ID_FIELDS = (
    "clientOid", "clientOrderId", "client_order_id", "clientOrderID", "newClientOrderId", "clOrdId", "clOrdID",
    "cl_ord_id", "orderLinkId", "client_oid", "idempotency_key",
)  # fmt: skip
"""Names under which APIs return the id that the client chose."""
_SIDES = ({"buy", "b", "bid", "long"}, {"sell", "s", "ask", "short"})


def conflict_of(found: Found, call: FailedCall, fn: Callable[..., Any]) -> Literal["", "key", "fields"]:
    """Return what contradicts that the order found is this call's: its client id, its other fields, or nothing.

    Args:
        found: what the reconciler returned.
        call: the call that is looked up.
        fn: the function of the call, whose parameters name its positional arguments.
    """
    order = found.value
    if not isinstance(order, Mapping):
        return ""
    if call.key is not None:
        client_ids = [str(order[name]) for name in CLIENT_ID_FIELDS if order.get(name) not in (None, "")]
        if client_ids and not any(_is_key(client_id, call.key) for client_id in client_ids):
            return "key"
    wanted = _arguments(call, fn)
    return "fields" if _other_symbol(wanted, order) or _other_side(wanted, order) else ""


def _is_key(client_id: str, key: str) -> bool:
    """Return whether a client id is the key: some APIs change its case or its dashes, or put a word before it."""
    mine, other = key.lower(), client_id.lower()
    words = re.split(r"[^a-z0-9]+", other)
    return mine == other or other.endswith(f"-{mine}") or mine in words or _letters(mine) == _letters(other)


def _arguments(call: FailedCall, fn: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the arguments of a call by their names."""
    try:
        bound = inspect.signature(fn).bind_partial(*call.args, **call.kwargs)
        bound.apply_defaults()
        return {**bound.arguments, **call.kwargs}
    except (TypeError, ValueError):  # a builtin without a signature
        return call.kwargs


def _other_symbol(wanted: Mapping[str, Any], order: Mapping[str, Any]) -> bool:
    """Return whether both name a symbol and neither is the beginning of the other (`BTC/USDT` and `BTCUSDT_SPBL`)."""
    names = [_letters(fields.get("symbol")) for fields in (wanted, order)]
    return all(names) and not (names[0].startswith(names[1]) or names[1].startswith(names[0]))


def _other_side(wanted: Mapping[str, Any], order: Mapping[str, Any]) -> bool:
    """Return whether one is a purchase and the other is a sale; words that are neither are not compared."""
    sides = [_side(fields.get("side")) for fields in (wanted, order)]
    return None not in sides and sides[0] != sides[1]


def _side(value: Any) -> int | None:
    word = value.lower() if isinstance(value, str) else ""
    return next((index for index, words in enumerate(_SIDES) if word in words), None)


def _letters(value: Any) -> str:
    return "".join(filter(str.isalnum, value)).upper() if isinstance(value, str) else ""
