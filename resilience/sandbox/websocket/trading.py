"""Executes orders that arrive over the socket, in the frames and codes of V2 and V3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..exchange.order_store import Market, Order, RefusedError
from ..rest import unified
from . import frames
from .frames import WireAction

if TYPE_CHECKING:
    from .connection import ConnectionEnvironment

__all__ = ["execute", "refuse"]

# The sockets of V2 answer four codes as V3 does, and the others as the REST API of V2.
_V2_CODES = {code: unified.V3_CODES[code] for code in ("43118", "40786", "40768", "22001")} | {"400172": "40017"}
"""The sockets' code for each code of the REST API that differs."""
_V3_CODES = {**unified.V3_CODES, **_V2_CODES}


def execute(shared: ConnectionEnvironment, version: str, message: Mapping[str, Any]) -> WireAction:
    """Execute a trade frame and return its answer."""
    item = _single_item(message)
    if item is None:
        return frames.error(30016)
    exchange, now = shared.exchange, shared.clock.now()
    try:
        market, channel, params = _parse_trade(version, message, item)
        if not shared.authenticator.can_trade:
            raise RefusedError("40014", "Incorrect permissions")
        order = (exchange.place if channel == "place-order" else exchange.cancel)(market, params, now)
    except RefusedError as error:
        codes = _V3_CODES if version == "v3" else _V2_CODES
        return refuse(shared, version, message, int(codes.get(error.code, error.code)), error.message)
    return _confirm(version, message, item, order, int(now * 1000))


def _confirm(version: str, message: Mapping[str, Any], item: Mapping[str, Any], order: Order, stamp: int) -> WireAction:
    """Return the frame that confirms an order; `stamp` is in milliseconds."""
    ids = {"orderId": order.order_id, "clientOid": order.client_id}
    if version == "v3":
        row = {"symbol": order.params["symbol"], **ids, "cTime": str(stamp)}
        return frames.text_frame(event="trade", **_header(message), args=[row], code="0", msg="Success", ts=str(stamp))
    return frames.text_frame(event="trade", arg=[{**item, "params": ids}], code=0, msg="Success", ts=stamp)


def refuse(
    shared: ConnectionEnvironment, version: str, message: Mapping[str, Any], code: int, text: str = ""
) -> WireAction:
    """Refuse a trade frame; the answer carries the id of the frame."""
    stamp = int(shared.clock.now() * 1000)
    if version == "v3":
        return frames.error(code, text, code_as_text=True, **_header(message), ts=str(stamp))
    return frames.error(code, text, arg=[_single_item(message)], ts=stamp)


def _header(message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: message.get(name) for name in ("id", "category", "topic")}


def _single_item(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the only order of a frame, or None if there is not exactly one."""
    args = message.get("args")
    if isinstance(args, list) and len(args) == 1 and isinstance(args[0], dict):
        return dict(args[0])
    return None


def _parse_trade(
    version: str, message: Mapping[str, Any], item: Mapping[str, Any]
) -> tuple[Market, str, dict[str, Any]]:
    """Return the market, the channel (`place-order`, `cancel-order`), and the parameters as the REST API takes them.

    Raises:
        RefusedError: the market or the channel does not exist.
    """
    if version == "v3":
        category, channel, params = message.get("category"), message.get("topic"), dict(item)
    else:
        order = item.get("params")
        params = {**order, "symbol": item.get("instId")} if isinstance(order, dict) else {}
        category, channel = item.get("instType"), item.get("channel")
    if channel not in ("place-order", "cancel-order"):
        raise RefusedError("30001", f"{channel} doesn't exist")
    market, v2_params = unified.to_v2(category, params)
    return market, str(channel), v2_params
