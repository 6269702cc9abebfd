"""Looks up writes of the Bitget clients by the venue's file, which names endpoints as ccxt does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .._core.base.routine import Routine
from .._core.call.lookup_answer import Found, NotFound
from ..venues import bitget_hook, venue
from ..venues.lookup_requests import lookup_routine
from ..venues.order_lookup import look_up
from ..venues.write_request import WriteRequest

__all__ = ["QUERY_PATHS", "listed_for", "look_up_order", "order_result", "params_of"]

QUERY_PATHS: Mapping[str, str] = {
    "privateSpotGetV2SpotTradeOrderInfo": "/api/v2/spot/trade/orderInfo",
    "privateSpotGetV2SpotTradeUnfilledOrders": "/api/v2/spot/trade/unfilled-orders",
    "privateSpotGetV2SpotTradeHistoryOrders": "/api/v2/spot/trade/history-orders",
    "privateMixGetV2MixOrderDetail": "/api/v2/mix/order/detail",
    "privateMixGetV2MixOrderOrdersPending": "/api/v2/mix/order/orders-pending",
    "privateMixGetV2MixOrderOrdersHistory": "/api/v2/mix/order/orders-history",
    "privateUtaGetV3TradeOrderInfo": "/api/v3/trade/order-info",
    "privateUtaGetV3TradeUnfilledOrders": "/api/v3/trade/unfilled-orders",
    "privateUtaGetV3TradeHistoryOrders": "/api/v3/trade/history-orders",
}
"""The paths of the queries that the venue's file names."""


def listed_for() -> float:
    """Return for how many seconds after a write "not found" is an answer."""
    return min(order.retention for order in venue("bitget").orders.values())


def params_of(call: Any) -> Mapping[str, Any]:
    """Return the parameters of a call, whether they are keywords or a mapping."""
    params = call.kwargs.get("params", call.args[1] if len(call.args) > 1 else None)
    found: Mapping[str, Any] = params if isinstance(params, Mapping) else call.kwargs
    return found


def look_up_order(
    endpoint: str, params: Mapping[str, Any], call: Any, get: Callable[[str, dict[str, Any]], Any]
) -> Routine[Found | NotFound]:
    """Look up an uncertain write, whose order is returned in the form that the write itself returns.

    Args:
        endpoint: the write's name in the venue's file.
        params: its parameters.
        call: the call, with its key and its first stamp.
        get: sends a query, `get(path, params) -> envelope`; sync or async.

    Raises:
        Exception: a query failed with an error that does not answer it, or an answer says nothing.
    """
    bitget = venue("bitget")
    write = bitget.write(endpoint)
    assert write is not None
    request = WriteRequest(write, params, call.key, call.sent_at, bitget_hook.placeholders(params))

    def ask(query: str, query_params: dict[str, Any]) -> Any:
        return get(QUERY_PATHS[query], query_params)

    answer = yield from lookup_routine(look_up(bitget, request), ask, bitget.answer.code)
    return replace(answer, value=order_result(answer.value, call.key)) if isinstance(answer, Found) else answer


def order_result(row: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    """Return an order that was looked up in the form that the write itself returns, plus its current status."""
    # Futures call it `state`, unified accounts `orderStatus`.
    status = row.get("status") or row.get("state") or row.get("orderStatus")
    return {"orderId": row["orderId"], "clientOid": row.get("clientOid") or key, "status": status}
