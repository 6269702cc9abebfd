"""Looks up whether a write was executed: which queries to send, and what the answers mean. No I/O.

A lookup is a generator. It yields a query and is sent the answer, or an `UnknownOrder` where an error of the venue
said that it has no such order. It returns `Found` with the order as the venue reports it, or "not found" with the
venue's own time of that answer, and how long after the write such an answer says anything.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from .._core.call.lookup_answer import Found, InconclusiveLookupError, NotFound
from .known_venue import Venue
from .order_queries import OrderQuery, SeenOrders, earliest, read_query
from .order_rows import (
    Row,
    Same,
    check_market,
    newest,
    newest_of,
    same_fields,
    status_of,
    unix_seconds,
    value_at,
)
from .order_sections import OrderSettings
from .write_request import WriteRequest

__all__ = ["OrderLookup", "look_up"]


OrderLookup = Generator[OrderQuery, Any, Found | NotFound]
"""A lookup under way."""


def look_up(venue: Venue, request: WriteRequest, same: Same | None = None) -> OrderLookup:
    """Look up a write.

    Args:
        venue: what is known of the venue.
        request: the write.
        same: compares an order with the parameters of the write, in place of the venue's table.

    Raises:
        InconclusiveLookupError: an answer is about another order, or says neither "found" nor "not found".
    """
    order = venue.orders[request.write.order]
    lookup = _Lookup(venue, order, request, same or partial(same_fields, order.compare))
    actions = {"place": lookup.place, "replace": lookup.replace, "cancel": lookup.cancel, "amend": lookup.amend}
    return (yield from actions[request.write.action]())


class _Lookup:
    """The lookup of one write; a method for each action."""

    def __init__(self, venue: Venue, order: OrderSettings, request: WriteRequest, same: Same) -> None:
        self._venue = venue
        self._order = order
        self._request = request
        self._same = same

    def place(self) -> OrderLookup:
        """Look for the order that was placed, by its client id."""
        request, order = self._request, self._order
        seen = yield from self._ask(order.row.key, request.key)
        if not seen.rows:
            return self._not_found(seen.server_time)
        row = newest(order, request.params, seen.rows, self._same)
        created = unix_seconds(row.get(order.row.created))
        return Found(row, created, self._same(request.params, row), seen.server_time)

    def replace(self) -> OrderLookup:
        """Look for the new order, and where it is missing ask whether the old one is still there."""
        new = yield from self.place()
        return new if isinstance(new, Found) else (yield from self._check_old(new))

    def cancel(self) -> OrderLookup:
        """Look at the order to cancel: found once it has ended, not found while it is open."""
        row, server_time = yield from self._existing()
        ended = status_of(self._order, row) in self._order.ended
        return Found(row, server_time=server_time) if ended else NotFound(server_time)

    def amend(self) -> OrderLookup:
        """Look at the order to amend: found if it has the new values."""
        row, server_time = yield from self._existing()
        done = same_fields(self._request.write.sets, self._request.params, row)
        return Found(row, server_time=server_time) if done else NotFound(server_time)

    def _existing(self) -> Generator[OrderQuery, Any, tuple[Row, float | None]]:
        """Return the order that the write changes.

        Raises:
            InconclusiveLookupError: it is not visible. It may have been placed a moment ago, so it need not have ended.
        """
        request, fields = self._request, self._order.row
        name, value = (fields.id, request.order_id) if request.order_id else (fields.key, request.order_key)
        seen = yield from self._ask(name, value)
        if not seen.rows:
            raise InconclusiveLookupError("the order to change is not visible")
        return self._changed_order(seen.rows), seen.server_time

    def _changed_order(self, rows: list[Row]) -> Row:
        row = newest_of(self._order, self._request.params, rows)
        check_market(self._order, self._request.params, row)
        return row

    def _check_old(self, missing: NotFound) -> OrderLookup:
        """Judge a replacement whose new order was not found.

        While the old order is open, or if it was filled, nothing was replaced. Once it is cancelled the new order may
        still appear for a while. Later nobody can tell who has cancelled the old one, so nothing is sent again.
        """
        request, order = self._request, self._order
        old_id, old_key = request.order_id, request.params.get(request.write.old_key)
        if not (old_id or old_key):
            return missing
        seen = yield from self._ask(*((order.row.id, old_id) if old_id else (order.row.key, old_key)))
        if not seen.rows:
            raise InconclusiveLookupError("the order to replace is not visible")
        row = self._changed_order(seen.rows)
        if status_of(order, row) not in order.cancelled:
            return missing
        ended, now = unix_seconds(row.get(order.row.updated)), seen.server_time
        if now is None or ended is None or now <= ended + order.processing + order.lag:
            raise InconclusiveLookupError("the old order is cancelled, and the new one is not visible yet")
        return Found(row, matches=False, server_time=now)

    def _ask(self, name: str, value: Any) -> Generator[OrderQuery, Any, SeenOrders]:
        """Ask the queries in their order until one shows the order with this id; absence needs all of them."""
        server_time = yield from self._server_time()
        for query in self._order.queries:
            if query.after and not self._is_older(query.after, server_time):
                continue
            seen = yield from read_query(self._venue, self._order, query, self._request, name, value)
            server_time = earliest(server_time, seen.server_time)
            if seen.rows:
                return SeenOrders(seen.rows, server_time)
        return SeenOrders([], server_time)

    def _is_older(self, age: float, server_time: float | None) -> bool:
        """Return whether the write may be older than this; without the venue's time nobody knows."""
        sent_at = self._request.sent_at
        return sent_at is not None and (server_time is None or server_time - sent_at > age)

    def _server_time(self) -> Generator[OrderQuery, Any, float | None]:
        """Ask for the venue's time, where the answers to its queries have none: a lower bound of theirs."""
        clock = self._order.time
        if clock is None:
            return None
        answer = yield OrderQuery(clock.endpoint, {})
        return unix_seconds(value_at(answer, clock.field))

    def _not_found(self, server_time: float | None) -> NotFound:
        """Return "not found", which says nothing once the venue may have forgotten the order."""
        sent_at, retention = self._request.sent_at, self._order.retention
        # By the venue's own clock where it is known: ours may have been set back since the write.
        forgotten = None not in (sent_at, server_time) and server_time - sent_at > retention  # type: ignore[operator]
        return NotFound(server_time, 0.0 if forgotten else retention)
