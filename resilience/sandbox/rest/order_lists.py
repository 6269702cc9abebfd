"""Lists of orders: the filters and the pages that every market has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..exchange.order_rules import texts
from ..exchange.order_store import Order, RefusedError

__all__ = ["page"]

_MOST = 100


def page(orders: Sequence[Order], params: Mapping[str, Any], *, by_client: bool = False) -> list[Order]:
    """Return a page of orders, which come newest first.

    Args:
        orders: all there are.
        params: `symbol` and `orderId` choose; `startTime` and `endTime` bound the creation in ms;
            `idLessThan` goes on after the order with that id; `limit` is 100 at most.
        by_client: whether `clientOid` chooses too, as it does for futures only.

    Raises:
        RefusedError: a time or the limit is no number, or too large.
    """
    told = {name: text for name, text in texts(params).items() if text}
    since, until, limit = (_whole(told, name) for name in ("startTime", "endTime", "limit"))
    if limit is not None and not 0 < limit <= _MOST:
        raise RefusedError("40017", "Parameter verification failed limit")
    older = _older(orders, told.get("idLessThan"))
    found = [
        order
        for order in older
        if told.get("symbol") in (None, order.params["symbol"])
        and told.get("orderId") in (None, order.order_id)
        and (not by_client or told.get("clientOid") in (None, order.client_id))
        and (since is None or int(order.created * 1000) >= since)
        and (until is None or int(order.created * 1000) <= until)
    ]
    return found[: limit or _MOST]


def _older(orders: Sequence[Order], order_id: str | None) -> Sequence[Order]:
    """Return the orders after that one; our ids do not grow with time, so their place in the list counts."""
    if order_id is None:
        return orders
    places = [place for place, order in enumerate(orders) if order.order_id == order_id]
    return orders[places[0] + 1 :] if places else []


def _whole(told: Mapping[str, str], name: str) -> int | None:
    if name not in told:
        return None
    if not told[name].isdecimal():
        raise RefusedError("40017", f"Parameter verification failed {name}")
    return int(told[name])
