"""Says what the data of OKX cannot: the name and type of an instrument, and which sizes are comparable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["message_params", "placeholders", "same_order"]


def message_params(params: Mapping[str, Any], market: str) -> Mapping[str, Any]:
    """Return the parameters of a message with the instrument's name: sockets take a number, which no query takes."""
    return {**params, "instId": params.get("instId") or market}


def placeholders(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the type of the instrument, which the history wants and an order does not name."""
    parts = str(params.get("instId", "")).split("-")
    if len(parts) < 3:
        return {"instType": "SPOT" if params.get("tdMode", "cash") == "cash" else "MARGIN"}
    kinds = {"SWAP": "SWAP", "C": "OPTION", "P": "OPTION"}
    return {"instType": kinds.get(parts[-1], "FUTURES")}


def same_order(params: Mapping[str, Any], row: Mapping[str, Any], same: Callable[..., bool]) -> bool:
    """Return whether an order has the requested fields.

    OKX shrinks a market order of spot to the balance by itself, so that its size need not be the requested one.
    """
    if params.get("ordType") == "market" and params.get("tdMode") == "cash":
        params = {name: value for name, value in params.items() if name != "sz"}
    return same(params, row)
