"""Lists what must be known of single exchanges that have no module of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

__all__ = ["KEY_NAMES", "STAMP_ERRORS", "WITHOUT_ORDER_ID", "as_stamp_error"]

KEY_NAMES: Mapping[str, str] = {
    "coinbase": "client_order_id",
    "cryptocom": "client_oid",
    "coinone": "user_order_id",
    "deribit": "label",
    "indodax": "client_order_id",
}
"""Where exchanges take a client order id that ccxt drops, or passes on by a name that they do not know."""
STAMP_ERRORS: Mapping[str, str] = {"gate": '"REQUEST_EXPIRED"', "gateeu": '"REQUEST_EXPIRED"'}
"""What refuses a stamp in a response of which ccxt makes another class than `InvalidNonce`."""
WITHOUT_ORDER_ID = frozenset({"lighter"})
"""Exchanges that give an order its id later: their answer to an order has none."""


def as_stamp_error(error: Exception, stamp: type[Exception]) -> Exception:
    """Return an error of ccxt's as one that is an `InvalidNonce` too, so that it is signed again."""
    if isinstance(error, stamp):
        return error
    classes: tuple[Any, ...] = (stamp, type(error))
    both: Callable[..., Exception] = _both(*classes)
    return both(*error.args)


@cache
def _both(stamp: Any, own: Any) -> Any:
    def reduce(self: Exception) -> tuple[Any, tuple[object, ...]]:
        return own, self.args  # a class that is made here cannot be pickled

    return type(stamp.__name__, (stamp, own), {"__module__": stamp.__module__, "__reduce__": reduce})
