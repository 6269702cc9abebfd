"""Searches Bitget's lists of open and past orders for a client id that is too old for a query by the id."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple

from .._core.call.lookup_answer import InconclusiveLookupError
from .lookup_rows import orders_in
from .lookup_runner import LookupQuery, LookupRequest

__all__ = ["LISTED_FOR", "MIX_LISTS", "SPOT_LISTS", "UTA_LISTS", "OrderLists", "search_lists"]

_PAGE_SIZE, _MAX_PAGES = 100, 20
_LIST_MARGIN = 60_000  # milliseconds before the first stamp from which orders are listed: clocks differ
LISTED_FOR = 7 * 86_400.0
"""Seconds for which lookups are believed: how far back the lists reach is not documented for every market."""


class OrderLists(NamedTuple):
    """The lists of one market: that of open orders, which comes first, and that of past orders.

    An order moves from the first to the second, so one that ends in between is seen in one of them.

    Attributes:
        paths: the two endpoints.
        filters: parameters of the write that the lists take, or need.
        by_cursor: the next page is asked for by the cursor of the last one, not by the id of its last order.
    """

    paths: tuple[str, str]
    filters: tuple[str, ...] = ("symbol",)
    by_cursor: bool = False


SPOT_LISTS = OrderLists(("/api/v2/spot/trade/unfilled-orders", "/api/v2/spot/trade/history-orders"))
MIX_LISTS = OrderLists(
    ("/api/v2/mix/order/orders-pending", "/api/v2/mix/order/orders-history"), ("symbol", "productType")
)
UTA_LISTS = OrderLists(
    ("/api/v3/trade/unfilled-orders", "/api/v3/trade/history-orders"), filters=("symbol", "category"), by_cursor=True
)


def search_lists(
    write: LookupRequest, lists: OrderLists, server_time: float | None
) -> Generator[LookupQuery, Mapping[str, Any], list[Mapping[str, Any]]]:
    """Return the orders with the write's client id among those since its first stamp, page by page.

    Raises:
        InconclusiveLookupError: there are more pages than are read, or the write is older than what the lists show.
    """
    sent_at = write.sent_at or 0.0
    if server_time is not None and server_time - sent_at > LISTED_FOR:
        raise InconclusiveLookupError("the write is too old to be looked up")
    for path in lists.paths:
        page = _first_page(write, lists, sent_at)
        for _ in range(_MAX_PAGES):
            answer = yield LookupQuery(path, page)
            rows = orders_in(answer)
            found = [row for row in rows if str(row.get("clientOid")) == str(write.key)]
            if found:
                return found
            following = _next_page(page, lists, answer, rows)
            if following is None:
                break
            page = following
        # Reached only if no page was the last one.
        else:
            most = _PAGE_SIZE * _MAX_PAGES
            raise InconclusiveLookupError(f"more than {most} orders since: the lookup did not reach the end")
    return []


def _filter_value(name: str, params: Mapping[str, Any]) -> str:
    # Sockets take a category in lower case, the lists in upper case.
    return str(params[name]).upper() if name == "category" else str(params[name])


def _first_page(write: LookupRequest, lists: OrderLists, sent_at: float) -> dict[str, Any]:
    page = {"startTime": str(int(sent_at * 1000) - _LIST_MARGIN), "limit": str(_PAGE_SIZE)}
    return page | {name: _filter_value(name, write.params) for name in lists.filters if write.params.get(name)}


def _next_page(
    page: dict[str, Any], lists: OrderLists, answer: Mapping[str, Any], rows: list[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Return the parameters of the page after this one, or None if this one was the last."""
    if len(rows) < _PAGE_SIZE:
        return None
    if not lists.by_cursor:
        return {**page, "idLessThan": rows[-1].get("orderId")}
    data = answer.get("data")
    cursor = data.get("cursor") if isinstance(data, Mapping) else None
    return {**page, "cursor": cursor} if cursor else None
