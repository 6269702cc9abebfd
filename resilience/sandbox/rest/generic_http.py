"""An order API like those of ordinary HTTP services: no signature, no stamp, and a key that protects nothing.

The Idempotency-Key is remembered and never compared: sent twice, an order is executed twice. That is the trap.
"""

from __future__ import annotations

import json
from typing import Any

from ..exchange.order_rules import needed
from ..exchange.order_store import PLAIN, Order
from .answers import Reply
from .endpoint import Endpoint, Request, Turn

__all__ = ["ROUTES"]

_UNCLEAR = ("40725", "45001", "40015")
_GONE = ("30032",)


def _tell(code: str | int, message: str, data: Any, _now: float, status: int = 200) -> Reply:
    """Say it as an ordinary service does: the status tells, and an error has a few words."""
    if code == "00000":
        return Reply(status, json.dumps(data).encode())
    status = 500 if str(code) in _UNCLEAR else 410 if str(code) in _GONE else status
    return Reply(status, json.dumps({"error": message}).encode())


def _key(request: Request) -> str:
    return request.headers.get("idempotency-key", "")


def _asked(request: Request) -> str:
    return str(request.params.get("key") or "")


def _shown(order: Order, when: float) -> dict[str, Any]:
    row = {
        "id": order.order_id,
        "key": order.client_id,
        "status": order.status_at(when),
        "created_at": order.created,
    }
    return order.shown(row)


def _place(turn: Turn) -> Any:
    params = {**turn.params, "clientOid": _key(turn.request) or None}
    return _shown(turn.exchange.place(PLAIN, params, turn.now, turn.lag), turn.now)


def _orders(turn: Turn) -> Any:
    needed(turn.params, ("key",))
    found = turn.exchange.book.find_all(PLAIN, turn.params["key"], turn.now, turn.stale)
    told = [{**_shown(o, turn.as_of), **{name: o.params[name] for name in ("symbol", "side", "size")}} for o in found]
    return {"orders": told, "time": turn.now}


ROUTES = {
    ("POST", "/plain/orders"): Endpoint(act=_place, kind="place", key=_key, tell=_tell, good=201, signed=False),
    ("GET", "/plain/orders"): Endpoint(act=_orders, kind="query", key=_asked, tell=_tell, signed=False),
}
