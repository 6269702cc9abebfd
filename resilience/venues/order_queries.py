"""Reads one query of a lookup, a list page by page until it shows the order or ends. No I/O.

A query is a generator: it yields what to send and is sent the answer, or an `UnknownOrder` where an error of the venue
said that it has no such order.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple

from .._core.call.lookup_answer import InconclusiveLookupError
from .known_venue import Venue
from .order_rows import Row, check_envelope, filled, rows_in, unix_seconds, value_at
from .order_sections import OrderSettings, PageSettings, QuerySettings
from .write_request import WriteRequest, query_params

__all__ = ["OrderQuery", "SeenOrders", "UnknownOrder", "earliest", "read_query"]

_MAX_PAGES = 20


class OrderQuery(NamedTuple):
    """A query to send: the endpoint, its parameters, and the codes of errors that say "no such order"."""

    endpoint: str
    params: dict[str, Any]
    unknown: tuple[str, ...] = ()


class UnknownOrder(NamedTuple):
    """In place of an answer: an error of the venue said that it has no such order."""

    body: Mapping[str, Any] = {}


class SeenOrders(NamedTuple):
    """What queries for one id have shown: the rows, and the venue's earliest time among their answers."""

    rows: list[Row]
    server_time: float | None


def read_query(
    venue: Venue, order: OrderSettings, query: QuerySettings, request: WriteRequest, name: str, value: Any
) -> Generator[OrderQuery, Any, SeenOrders]:
    """Ask a query for the orders with an id.

    Args:
        venue: what is known of the venue.
        order: the kind of order.
        query: the query.
        request: the write that is looked up.
        name: the field of the id.
        value: the id.

    Raises:
        InconclusiveLookupError: an answer says neither "found" nor "not found", or a list did not end.
    """
    id_name = query.by_id if name == order.row.id else query.by_key
    params: dict[str, Any] | None = query_params(query, request, id_name, value)
    server_time: float | None = None
    for _ in range(_MAX_PAGES):
        answer = yield OrderQuery(query.endpoint, params or {}, query.unknown)
        body = answer.body if isinstance(answer, UnknownOrder) else answer
        server_time = earliest(server_time, _time_of(venue, body))
        if body is not answer:
            return SeenOrders([], server_time)
        check_envelope(venue.answer, body)
        listed = rows_in(order, body, query, name=name, value=value, filtered=bool(id_name))
        rows = [row for row in listed if str(row.get(name)) == str(value)]
        params = None if rows else _next_page(query.pages, params or {}, body, listed)
        if params is None:
            return SeenOrders(rows, server_time)
    raise InconclusiveLookupError(f"the lookup did not reach the end of the list in {_MAX_PAGES} pages")


def _next_page(
    pages: PageSettings | None, params: Mapping[str, Any], body: Any, listed: list[Row]
) -> dict[str, Any] | None:
    """Return the parameters of the page after this one, or None if this one was the last."""
    if pages is None or len(listed) < pages.size:
        return None
    following = listed[-1].get(pages.row) if pages.row else value_at(body, pages.cursor)
    return {**params, pages.parameter: following} if filled(following) else None


def _time_of(venue: Venue, body: Any) -> float | None:
    path = venue.answer.time
    return unix_seconds(value_at(body, path)) if path else None


def earliest(known: float | None, other: float | None) -> float | None:
    """Return the earlier of two times, of which either may not be known."""
    times = [time for time in (known, other) if time is not None]
    return min(times, default=None)
