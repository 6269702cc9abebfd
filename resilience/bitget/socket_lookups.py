"""Chooses the REST lookup of an order that was sent over a socket, by its market."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from .lookup_runner import LookupRequest, OrderLookup
from .lookups import MIX_INFO, SPOT_INFO, UTA_INFO, cancelled, mix_order, spot_order, uta_order

__all__ = ["by_market", "cancel_lookup", "order_lookup"]

T = TypeVar("T")


def order_lookup(write: LookupRequest) -> OrderLookup:
    """Look up an order in its market."""
    request = write._replace(params=_as_rest(write.params))
    return by_market(write.params, spot_order, mix_order, uta_order)(request)


def cancel_lookup(write: LookupRequest) -> OrderLookup:
    """Look up whether an order has ended."""
    request = write._replace(params=_as_rest(write.params))
    return cancelled(by_market(write.params, SPOT_INFO, MIX_INFO, UTA_INFO))(request)


def by_market(params: Mapping[str, Any], spot: T, mix: T, uta: T) -> T:
    """Return the value for an order's market; only V3 orders have a `category`."""
    if "category" in params:
        return uta
    return spot if str(params.get("instType")).upper() == "SPOT" else mix


def _as_rest(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return an order's parameters with the names of the REST API."""
    names = {"instId": "symbol", "instType": "productType"}
    return {names.get(name, name): value for name, value in params.items()}
