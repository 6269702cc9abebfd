"""Looks up whether a write was executed: which queries to send to Bitget, and what the responses mean.

An unknown order is an empty list (spot) or an error code (futures). Both are answers. Any other error of a query is
not an answer: it is raised to the caller, who queries again later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._core.call.reconcile import NOT_FOUND, Found, NotFound
from .lookup_rows import found_order, orders_in, status_of, unix_seconds
from .lookup_runner import LookupQuery, LookupRequest, OrderLookup

__all__ = ["MIX_INFO", "SPOT_INFO", "UTA_INFO", "cancelled", "mix_order", "replaced", "spot_order", "uta_order"]

SPOT_INFO = "/api/v2/spot/trade/orderInfo"
MIX_INFO = "/api/v2/mix/order/detail"
UTA_INFO = "/api/v3/trade/order-info"
_LISTS = ("/api/v2/spot/trade/unfilled-orders", "/api/v2/spot/trade/history-orders")
_VISIBLE_FOR = 2 * 3600 - 300.0  # seconds; a spot query by client id finds nothing after two hours, less a margin
_PAGE_SIZE, _MAX_PAGES = 100, 20
_LIST_MARGIN = 60_000  # milliseconds before the first stamp from which orders are listed: clocks differ
_CANCELLED = ("cancelled", "canceled")
_FINAL = ("filled", *_CANCELLED)
_VISIBLE_AFTER = 5.0  # seconds (P + L) after the cancel within which the replacing order becomes visible


def spot_order(write: LookupRequest) -> OrderLookup:
    """Look up a spot order by its client id; after two hours search the open and the past orders instead."""
    answer = yield LookupQuery(SPOT_INFO, {"clientOid": write.key})
    server_time = unix_seconds(answer.get("requestTime"))
    orders = orders_in(answer, "clientOid", write.key)
    if orders:
        return found_order(write.params, orders[0], server_time)
    # Without the server's time nobody knows whether the two hours have passed, so the lists are searched too.
    if write.sent_at is not None and (server_time is None or server_time - write.sent_at > _VISIBLE_FOR):
        return (yield from _search_lists(write, server_time))
    return NOT_FOUND(server_time=server_time)


def mix_order(write: LookupRequest) -> OrderLookup:
    """Look up a futures order by its client id."""
    answer = yield LookupQuery(MIX_INFO, {**_market(write.params), "clientOid": write.key})
    server_time = unix_seconds(answer.get("requestTime"))
    orders = orders_in(answer, "clientOid", write.key)
    return found_order(write.params, orders[0], server_time) if orders else NOT_FOUND(server_time=server_time)


def uta_order(write: LookupRequest) -> OrderLookup:
    """Look up an order of a unified account by its client id."""
    answer = yield LookupQuery(UTA_INFO, {"clientOid": write.key})
    server_time = unix_seconds(answer.get("requestTime"))
    orders = orders_in(answer, "clientOid", write.key)
    if not orders:
        return NOT_FOUND(server_time=server_time)
    return found_order(_as_v2(write.params), _as_v2(orders[0]), server_time)


def _as_v2(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters or the row of a V3 order with the field names of V2."""
    names = {"qty": "size", "createdTime": "cTime", "updatedTime": "uTime", "orderStatus": "status"}
    return {names.get(name, name): value for name, value in fields.items()}


def replaced(order: Callable[[LookupRequest], OrderLookup], path: str) -> Callable[[LookupRequest], OrderLookup]:
    """Return the lookup for an amendment that replaces an order: by the new client id, size and price.

    Args:
        order: the lookup of the market's orders.
        path: the query that shows the old order, which tells whether the amendment stopped halfway.
    """

    def lookup(write: LookupRequest) -> OrderLookup:
        params = write.params
        new = {"size": params.get("newSize", params.get("size")), "price": params.get("newPrice", params.get("price"))}
        market = {name: params[name] for name in ("symbol", "productType", "marginCoin") if params.get(name)}
        answer = yield from order(LookupRequest({**market, **new}, write.key, write.sent_at))
        return answer if isinstance(answer, Found) else (yield from _check_old_order(path, params, answer))

    return lookup


def _check_old_order(path: str, params: Mapping[str, Any], missing: NotFound) -> OrderLookup:
    """Look up the old order to judge an amendment whose new order was not found.

    While the old order is open, or if it is filled, the amendment did not happen. Once it is cancelled, the new order
    may still appear. Later nobody can tell who cancelled the old one, so the answer is not "not found", and the
    amendment must not be sent again.

    Raises:
        LookupError: the old order is cancelled, and the new one may not be visible yet.
    """
    name = "orderId" if params.get("orderId") else "clientOid"
    if not params.get(name):
        return missing
    market = _market(params) if path == MIX_INFO else {}
    answer = yield LookupQuery(path, {**market, name: params[name]})
    orders = orders_in(answer, name, params[name])
    # An amendment cancels the old order before it places the new one.
    if not orders or status_of(orders[0]) not in _CANCELLED:
        return missing
    server_time, cancelled_at = unix_seconds(answer.get("requestTime")), unix_seconds(orders[0].get("uTime"))
    if server_time is None or cancelled_at is None or server_time <= cancelled_at + _VISIBLE_AFTER:
        raise LookupError("the old order is cancelled, and the new one is not visible yet")
    return Found(orders[0], matches=False, server_time=server_time)


def cancelled(path: str) -> Callable[[LookupRequest], OrderLookup]:
    """Return the lookup for a cancel: found if the order is cancelled or filled, not found if it is still open."""

    def lookup(write: LookupRequest) -> OrderLookup:
        params = write.params
        name = "orderId" if params.get("orderId") else "clientOid"
        market = _market(params) if path == MIX_INFO else {}
        answer = yield LookupQuery(path, {**market, name: params.get(name)})
        orders = orders_in(answer, name, params.get(name))
        # An order that was placed a moment ago may not be visible yet, so absence does not mean that it has ended.
        if not orders:
            raise LookupError("the order to cancel is not visible")
        server_time = unix_seconds(answer.get("requestTime"))
        final = status_of(orders[0]) in _FINAL
        return Found(orders[0], server_time=server_time) if final else NOT_FOUND(server_time=server_time)

    return lookup


def _search_lists(write: LookupRequest, server_time: float | None) -> OrderLookup:
    """Search the open and the past orders since the first stamp, page by page.

    Raises:
        LookupError: there are more pages than the lookup reads.
    """
    since = {"startTime": str(int((write.sent_at or 0.0) * 1000) - _LIST_MARGIN), "limit": str(_PAGE_SIZE)}
    symbol = {"symbol": write.params["symbol"]} if write.params.get("symbol") else {}
    for path in _LISTS:
        page: dict[str, Any] = {**symbol, **since}
        for _ in range(_MAX_PAGES):
            answer = yield LookupQuery(path, page)
            orders = orders_in(answer)
            for order in orders:
                if order.get("clientOid") == write.key:
                    return found_order(write.params, order, server_time)
            if len(orders) < _PAGE_SIZE:
                break
            page = {**page, "idLessThan": orders[-1].get("orderId")}
        # Reached only if no page was the last one.
        else:
            raise LookupError(f"more than {_PAGE_SIZE * _MAX_PAGES} orders since: the lookup did not reach the end")
    return NOT_FOUND(server_time=server_time)


def _market(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in ("symbol", "productType") if params.get(name)}
