"""Whether an order or a cancel in doubt happened: asked by client order id, told with the server's own time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from .._core.reconcile import NOT_FOUND, Found, NotFound

__all__ = ["ORDER_INFO", "spot_cancel", "spot_order"]

ORDER_INFO = "/api/v2/spot/trade/orderInfo"
_NUMBERS = ("size", "price")
_WORDS = ("symbol", "side", "orderType")
_OVER = ("filled", "cancelled", "canceled")


def spot_order(wrapped: Any, params_of: Callable[[Any], Mapping[str, Any]]) -> Callable[[Any], Found | NotFound]:
    """Return the reconciler of a spot order; `params_of` finds the order's parameters in the call."""

    def reconcile(call: Any) -> Found | NotFound:
        answer = wrapped.get(ORDER_INFO, {"clientOid": call.key})
        seen = _seconds(answer.get("requestTime"))
        order = _first(answer)
        if order is None:
            return NOT_FOUND(server_time=seen)
        value = {
            "orderId": order["orderId"],
            "clientOid": order.get("clientOid", call.key),
            "status": order.get("status"),
        }
        return Found(value, _seconds(order.get("cTime")), _same(params_of(call), order), seen)

    return reconcile


def spot_cancel(wrapped: Any, params_of: Callable[[Any], Mapping[str, Any]]) -> Callable[[Any], Found | NotFound]:
    """Return the reconciler of a spot cancel: the order is over, or the cancel did not happen."""

    def reconcile(call: Any) -> Found | NotFound:
        params = params_of(call)
        name = "orderId" if params.get("orderId") else "clientOid"
        answer = wrapped.get(ORDER_INFO, {name: params.get(name)})
        order = _first(answer)
        if order is None:
            raise LookupError("the order to cancel is not visible")
        if order.get("status") not in _OVER:
            return NOT_FOUND(server_time=_seconds(answer.get("requestTime")))
        return Found({"orderId": order["orderId"], "clientOid": order.get("clientOid"), "status": order["status"]})

    return reconcile


def _first(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the order in an answer; an unknown one is an empty list, not an error."""
    data = answer.get("data")
    if not isinstance(data, list):
        raise LookupError("the answer lists no orders")
    return data[0] if data else None


def _same(asked: Mapping[str, Any], order: Mapping[str, Any]) -> bool:
    """Tell whether the order found is the one that was asked for."""
    words = all(str(asked[name]).lower() == str(order.get(name)).lower() for name in _WORDS if asked.get(name))
    numbers = all(
        _number(asked[name]) == _number(order.get(name)) for name in _NUMBERS if asked.get(name) and order.get(name)
    )
    return words and numbers


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _seconds(milliseconds: Any) -> float | None:
    try:
        return int(milliseconds) / 1000
    except (TypeError, ValueError):
        return None
