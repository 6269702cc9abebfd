"""Orders that come over the socket: the same exchange, the same ledger, the frames of V2 and V3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..exchange.order_store import Market, RefusedError
from ..rest import unified
from . import frames
from .frames import Act

if TYPE_CHECKING:
    from ..server import Sandbox

__all__ = ["answer", "refused"]

_V2_CODES = {one: unified.CODES[one] for one in ("43118", "40786", "40768", "22001")} | {"400172": "40017"}
"""What the REST API calls by other numbers than the sockets do."""
_V3_CODES = {**unified.CODES, **_V2_CODES}


def answer(sandbox: Sandbox, version: str, message: Mapping[str, Any]) -> Act:
    """Carry a trade frame out and return its answer."""
    item = _item(message)
    if item is None:
        return frames.error(30016)
    try:
        market, channel, params = _read(version, message, item)
        if not sandbox.gate.can_trade:
            raise RefusedError("40014", "Incorrect permissions")
        act = sandbox.exchange.place if channel == "place-order" else sandbox.exchange.cancel
        order = act(market, params, sandbox.now())
    except RefusedError as error:
        codes = _V3_CODES if version == "v3" else _V2_CODES
        return refused(sandbox, version, message, int(codes.get(error.code, error.code)), error.message)
    ids = {"orderId": order.order_id, "clientOid": order.client_id}
    stamp = int(sandbox.now() * 1000)
    if version == "v3":
        told = {"symbol": order.params["symbol"], **ids, "cTime": str(stamp)}
        return frames.say(event="trade", **_head(message), args=[told], code="0", msg="Success", ts=str(stamp))
    return frames.say(event="trade", arg=[{**item, "params": ids}], code=0, msg="Success", ts=stamp)


def refused(sandbox: Sandbox, version: str, message: Mapping[str, Any], code: int, text: str = "") -> Act:
    """Refuse a trade frame; the answer carries its id."""
    stamp = int(sandbox.now() * 1000)
    if version == "v3":
        return frames.error(code, text, as_text=True, **_head(message), ts=str(stamp))
    return frames.error(code, text, arg=[_item(message)], ts=stamp)


def _head(message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: message.get(name) for name in ("id", "category", "topic")}


def _item(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the one order of a frame."""
    args = message.get("args")
    whole = isinstance(args, list) and len(args) == 1 and isinstance(args[0], dict)
    return dict(args[0]) if whole and isinstance(args, list) else None


def _read(version: str, message: Mapping[str, Any], item: Mapping[str, Any]) -> tuple[Market, str, dict[str, Any]]:
    """Return the market, what is to be done, and the parameters as the REST API has them.

    Raises:
        RefusedError: there is no such market, or no such thing to do.
    """
    if version == "v3":
        category, channel, params = message.get("category"), message.get("topic"), dict(item)
    else:
        told = item.get("params")
        params = {**told, "symbol": item.get("instId")} if isinstance(told, dict) else {}
        category, channel = item.get("instType"), item.get("channel")
    if channel not in ("place-order", "cancel-order"):
        raise RefusedError("30001", f"{channel} doesn't exist")
    market, clean = unified.asked(category, params)
    return market, str(channel), clean
