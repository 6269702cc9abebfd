"""Looks up whether a write was executed: which queries to send to Bitget, and what the responses mean.

An unknown order is an empty list (spot) or an error code (futures). Both are answers. Any other error of a query is
not an answer: it is raised to the caller, who queries again later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._core.call.lookup_answer import NOT_FOUND, Found, InconclusiveLookupError, NotFound
from .listed_orders import MIX_LISTS, SPOT_LISTS, UTA_LISTS, OrderLists, search_lists
from .lookup_rows import check_symbol, found_order, newest, orders_in, status_of, unix_seconds
from .lookup_runner import LookupQuery, LookupRequest, OrderLookup

__all__ = ["MIX_INFO", "SPOT_INFO", "UTA_INFO", "cancelled", "mix_order", "replaced", "spot_order", "uta_order"]

SPOT_INFO = "/api/v2/spot/trade/orderInfo"
MIX_INFO = "/api/v2/mix/order/detail"
UTA_INFO = "/api/v3/trade/order-info"
_VISIBLE_FOR = 2 * 3600 - 300.0  # seconds; a query by client id may find nothing after two hours, less a margin
_CANCELLED = ("cancelled", "canceled")
_FINAL = ("filled", *_CANCELLED)
_VISIBLE_AFTER = 5.0  # seconds (P + L) after the cancel within which the replacing order becomes visible


def spot_order(write: LookupRequest) -> OrderLookup:
    """Look up a spot order by its client id; after two hours search the open and the past orders instead."""
    return (yield from _order(write, SPOT_INFO, {}, SPOT_LISTS))


def mix_order(write: LookupRequest) -> OrderLookup:
    """Look up a futures order by its client id; after two hours search the open and the past orders instead."""
    return (yield from _order(write, MIX_INFO, _market(write.params), MIX_LISTS))


def uta_order(write: LookupRequest) -> OrderLookup:
    """Look up an order of a unified account by its client id; after two hours search the lists instead."""
    return (yield from _order(write._replace(params=_as_v2(write.params)), UTA_INFO, {}, UTA_LISTS))


def _order(write: LookupRequest, path: str, market: Mapping[str, Any], lists: OrderLists) -> OrderLookup:
    """Look up an order by its client id, and in the lists where such a query may no longer find it.

    Raises:
        InconclusiveLookupError: the answer is about another order, or the lists do not reach back far enough.
    """
    answer = yield LookupQuery(path, {**market, "clientOid": write.key})
    server_time = unix_seconds(answer.get("requestTime"))
    orders = [_as_v2(row) for row in orders_in(answer, "clientOid", write.key)]
    if orders:
        return found_order(write.params, newest(write.params, orders), server_time)
    if _may_have_faded(write.sent_at, server_time):
        listed = yield from search_lists(write, lists, server_time)
        if listed:
            rows = [_as_v2(row) for row in listed]
            return found_order(write.params, newest(write.params, rows), server_time)
    return NOT_FOUND(server_time=server_time)


def _as_v2(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters or the row of an order with the field names of V2."""
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


def _may_have_faded(sent_at: float | None, server_time: float | None) -> bool:
    """Return whether a query by client id may no longer find a write that was sent then."""
    # Without the server's time nobody knows whether the two hours have passed, so the lists are searched too.
    return sent_at is not None and (server_time is None or server_time - sent_at > _VISIBLE_FOR)


def _check_old_order(path: str, params: Mapping[str, Any], missing: NotFound) -> OrderLookup:
    """Look up the old order to judge an amendment whose new order was not found.

    While the old order is open, or if it is filled, the amendment did not happen. Once it is cancelled, the new order
    may still appear. Later nobody can tell who cancelled the old one, so the answer is not "not found", and the
    amendment must not be sent again.

    Raises:
        InconclusiveLookupError: the old order is cancelled and the new one may not be visible yet, or the old order
            cannot be seen.
    """
    name = _id_name(params)
    if not params.get(name):
        return missing
    market = _market(params) if path == MIX_INFO else {}
    answer = yield LookupQuery(path, {**market, name: params[name]})
    orders = orders_in(answer, name, params[name])
    # Bitget forgets client ids of old orders, so absence says nothing of what happened to it.
    if not orders:
        raise InconclusiveLookupError("the order to amend is not visible")
    check_symbol(params, orders[0])
    # An amendment cancels the old order before it places the new one.
    if status_of(orders[0]) not in _CANCELLED:
        return missing
    server_time = unix_seconds(answer.get("requestTime"))
    if _may_still_appear(_updated_at(orders[0]), server_time):
        raise InconclusiveLookupError("the old order is cancelled, and the new one is not visible yet")
    return Found(orders[0], matches=False, server_time=server_time)


def cancelled(path: str) -> Callable[[LookupRequest], OrderLookup]:
    """Return the lookup for a cancel: found if the order is cancelled or filled, not found if it is still open."""

    def lookup(write: LookupRequest) -> OrderLookup:
        params = write.params
        name = _id_name(params)
        market = _market(params) if path == MIX_INFO else {}
        answer = yield LookupQuery(path, {**market, name: params.get(name)})
        orders = orders_in(answer, name, params.get(name))
        # An order that was placed a moment ago may not be visible yet, so absence does not mean that it has ended.
        if not orders:
            raise InconclusiveLookupError("the order to cancel is not visible")
        # The newest, because an order that has ended frees its client id for another.
        order = newest(params if params.get("symbol") else {}, orders)
        check_symbol(params, order)
        server_time = unix_seconds(answer.get("requestTime"))
        final = status_of(order) in _FINAL
        return Found(order, server_time=server_time) if final else NOT_FOUND(server_time=server_time)

    return lookup


def _id_name(params: Mapping[str, Any]) -> str:
    """Return which id names an existing order; Bitget prefers the order id where both are given."""
    return "orderId" if params.get("orderId") else "clientOid"


def _may_still_appear(cancelled_at: float | None, server_time: float | None) -> bool:
    """Return whether the new order of an amendment may become visible yet; yes if a time is not known."""
    return server_time is None or cancelled_at is None or server_time <= cancelled_at + _VISIBLE_AFTER


def _updated_at(row: Mapping[str, Any]) -> float | None:
    return unix_seconds(row.get("uTime") or row.get("updatedTime"))


def _market(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in ("symbol", "productType") if params.get(name)}
