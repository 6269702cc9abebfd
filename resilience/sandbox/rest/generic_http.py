"""Defines the routes of an order API like those of ordinary HTTP services, without signatures or timestamps.

The Idempotency-Key is stored but never compared: an order that is sent twice is executed twice, as at many services
that accept the header without honouring it.
"""

from __future__ import annotations

import json
from typing import Any

from ..exchange.order_rules import require
from ..exchange.order_store import GENERIC, Order
from .answers import Reply
from .endpoint import Endpoint, HttpRequest, RequestContext

__all__ = ["ROUTES"]

# The statuses that an ordinary service would send for Bitget's codes of these meanings.
_SERVER_ERROR_CODES = ("40725", "45001", "40015")
_GONE_CODES = ("30032",)


def _format_reply(code: str | int, message: str, data: Any, _now: float, status: int = 200) -> Reply:
    """Write an answer as an ordinary service does: the status says what happened, an error has a short message."""
    if code == "00000":
        return Reply(status, json.dumps(data).encode())
    status = 500 if str(code) in _SERVER_ERROR_CODES else 410 if str(code) in _GONE_CODES else status
    return Reply(status, json.dumps({"error": message}).encode())


def _idempotency_key(request: HttpRequest) -> str:
    return request.headers.get("idempotency-key", "")


def _queried_key(request: HttpRequest) -> str:
    return str(request.params.get("key") or "")


def _order_row(order: Order, when: float) -> dict[str, Any]:
    row = {
        "id": order.order_id,
        "key": order.client_id,
        "status": order.status_at(when),
        "created_at": order.created,
    }
    return order.with_planted_fields(row)


def _place(context: RequestContext) -> Any:
    params = {**context.params, "clientOid": _idempotency_key(context.request) or None}
    return _order_row(context.exchange.place(GENERIC, params, context.now, context.lag), context.now)


def _list_orders(context: RequestContext) -> Any:
    require(context.params, ("key",))
    orders = context.exchange.orders.find_by_client_id(GENERIC, context.params["key"], context.now, context.stale)
    rows = [
        {**_order_row(o, context.as_of), **{name: o.params[name] for name in ("symbol", "side", "size")}}
        for o in orders
    ]
    return {"orders": rows, "time": context.now}


ROUTES = {
    ("POST", "/plain/orders"): Endpoint(
        route=_place, kind="place", key=_idempotency_key, format_reply=_format_reply, success_status=201, signed=False
    ),
    ("GET", "/plain/orders"): Endpoint(
        route=_list_orders, kind="query", key=_queried_key, format_reply=_format_reply, signed=False
    ),
}
