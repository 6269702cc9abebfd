"""Filters and pages the lists of orders, in the same way for every market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..exchange.order_rules import clean_params
from ..exchange.order_store import Order, RefusedError

__all__ = ["page"]

_MAX_PAGE = 100


def page(orders: Sequence[Order], params: Mapping[str, Any], *, by_client: bool = False) -> list[Order]:
    """Return a page of orders.

    Args:
        orders: all of them, newest first.
        params: `symbol` and `orderId` filter; `startTime` and `endTime` bound the creation in ms;
            `idLessThan` continues after the order with that id; `limit` is at most 100.
        by_client: whether `clientOid` filters too, as it does for futures only.

    Raises:
        RefusedError: a time or the limit is not a number, or the limit is too large.
    """
    filters = {name: text for name, text in clean_params(params).items() if text}
    since, until, limit = (_parse_integer(filters, name) for name in ("startTime", "endTime", "limit"))
    if limit is not None and not 0 < limit <= _MAX_PAGE:
        raise RefusedError("40017", "Parameter verification failed limit")
    if not by_client:
        filters.pop("clientOid", None)
    matching = [
        order
        for order in _after(orders, filters.get("idLessThan"))
        if _has_ids(order, filters) and _is_between(int(order.created * 1000), since, until)
    ]
    return matching[: limit or _MAX_PAGE]


def _after(orders: Sequence[Order], order_id: str | None) -> Sequence[Order]:
    """Return the orders after the one with that id.

    The real ids grow with time; the sandbox's do not, so the position in the list decides.
    """
    if order_id is None:
        return orders
    indexes = [index for index, order in enumerate(orders) if order.order_id == order_id]
    return orders[indexes[0] + 1 :] if indexes else []


def _parse_integer(filters: Mapping[str, str], name: str) -> int | None:
    if name not in filters:
        return None
    if not filters[name].isdecimal():
        raise RefusedError("40017", f"Parameter verification failed {name}")
    return int(filters[name])


def _has_ids(order: Order, filters: Mapping[str, Any]) -> bool:
    ids = {"symbol": order.params["symbol"], "orderId": order.order_id, "clientOid": order.client_id}
    return all(filters.get(name) in (None, value) for name, value in ids.items())


def _is_between(stamp: int, since: int | None, until: int | None) -> bool:
    return (since is None or stamp >= since) and (until is None or stamp <= until)
