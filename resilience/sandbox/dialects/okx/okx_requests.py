"""Reads OKX's order requests: the orders that they describe or name, one or several in one request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...exchange.order_rules import clean_params
from ...rest.endpoint import HttpRequest
from .okx_answers import refused
from .okx_instruments import INSTRUMENTS, SWAP_UNITS

__all__ = ["check_instrument", "check_shape", "items_of", "named_id_of", "order_fields", "require"]

_ID = re.compile(r"[0-9A-Za-z]{1,32}", re.ASCII)
# A conditional order has its own id first: ccxt sends a `clOrdId` beside it, which is none here.
_IDS = ("algoClOrdId", "clOrdId", "algoId", "ordId")


def items_of(request: HttpRequest) -> list[Mapping[str, str]]:
    """Return the orders of a request; those of a batch are a list in the body."""
    items = request.params.get("items", [request.params])
    return [clean_params(one) if isinstance(one, dict) else {} for one in items]


def named_id_of(request: HttpRequest) -> str:
    """Return the client id, or else the order id, of the first order that a request names."""
    first = next(iter(items_of(request)), {})
    return next((first[name] for name in _IDS if first.get(name)), "")


def require(params: Mapping[str, Any], *names: str) -> None:
    """Refuse a request that lacks a parameter.

    Raises:
        RefusedError: names the first missing parameter.
    """
    for name in names:
        if params.get(name) in (None, ""):
            raise refused("50014", f"Parameter {name} can not be empty.", 400)


def check_instrument(params: Mapping[str, Any]) -> None:
    """Refuse a request whose instrument is missing or does not exist.

    Raises:
        RefusedError: it is missing or does not exist.
    """
    require(params, "instId")
    if params["instId"] not in INSTRUMENTS:
        raise refused("51001", "Instrument ID doesn't exist.")


def check_shape(params: Mapping[str, Any], name: str) -> None:
    """Refuse a client id of the wrong shape.

    Raises:
        RefusedError: it has other characters than letters and digits, or more than 32.
    """
    if params.get(name) and not _ID.fullmatch(str(params[name])):
        raise refused("51000", f"Parameter {name} error")


def order_fields(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every order has: its instrument and side, and the fields that answers repeat.

    Raises:
        RefusedError: the instrument does not exist, or its margin mode is another one.
    """
    check_instrument(params)
    kind, symbol = INSTRUMENTS[params["instId"]]
    if (params["tdMode"] == "cash") != (kind == "SPOT"):
        raise refused("51000", "Parameter tdMode error")
    repeated = {name: params.get(name) for name in ("instId", "tdMode", "ordType", "tgtCcy", "posSide", "reduceOnly")}
    unit = SWAP_UNITS[symbol] if kind == "SWAP" else None
    return {**repeated, "sz": params["sz"], "symbol": symbol, "side": params["side"], "unit": unit}
