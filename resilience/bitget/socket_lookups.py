"""Chooses the REST lookup of an order that was sent over a socket, by its market."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

__all__ = ["as_rest", "by_market"]

T = TypeVar("T")


def by_market(params: Mapping[str, Any], spot: T, mix: T, uta: T) -> T:
    """Return the value for an order's market; only V3 orders have a `category`."""
    if "category" in params:
        return uta
    return spot if str(params.get("instType")).upper() == "SPOT" else mix


def as_rest(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return an order's parameters with the names of the REST API."""
    names = {"instId": "symbol", "instType": "productType"}
    return {names.get(name, name): value for name, value in params.items()}
