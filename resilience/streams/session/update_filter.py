"""Decides which updates are handed on: each once, in order, and none of an order book that misses an update."""

from __future__ import annotations

from collections.abc import Hashable
from math import inf
from typing import Any

from .connection import Connection
from .dialect import Message
from .state import stream_error
from .steps import Emit, Step
from .venue_errors import VenueErrors

__all__ = ["UpdateFilter"]

_STEADY_AFTER = 60.0  # seconds without a gap after which the next one counts as the first again
_MIN_DELAY = 1.0  # seconds before a book that was wrong again is requested again


class UpdateFilter(VenueErrors):
    """A socket that checks its updates.

    Attributes:
        gap_count: how often an order book missed an update.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gap_count = 0
        self._gaps: dict[Hashable, tuple[int, float]] = {}  # by subscription: gaps in a row, and when the last one was

    def on_update(self, connection: Connection, message: Message, now: float) -> list[Step]:
        """Handle an update."""
        # The venue sends updates until it has handled the request to unsubscribe.
        if message.id in self.removed:
            return []
        subscription = connection.subscriptions.by_id.get(message.id)
        if subscription is not None and subscription.state == "requested":
            subscription.state = "live"  # an update that arrives before the ack proves the subscription too
        # Before duplicates are dropped: each connection has books of its own.
        book = connection.books.check(message.id, message.book, snapshot=message.snapshot) if message.book else "fits"
        if book != "fits":
            return self._renew(connection, message, now) if book == "broken" else []
        verdict = self._order(connection, message, now)
        if verdict != "next":
            return self._renew(connection, message, now) if verdict == "gap" else []
        # An update of a book is worthless without those before it, unlike that of a ticker.
        change = not message.snapshot and (message.seq is not None or bool(message.book))
        return [Emit("update", message.body, message.id, change)]

    def _order(self, connection: Connection, message: Message, now: float) -> str:
        """Return whether an update is the `next`, an `old` one, or the first after a `gap`."""
        overlapping = self.overlaps(now)
        if overlapping and self.duplicate_filter and not self.duplicate_filter.is_new(message, connection.number):
            return "old"
        return self.sequence.check(message, overlapping=overlapping)

    def discarded(self, id_: Hashable, now: float) -> list[Step]:
        """Subscribe anew to a book of which a full queue has discarded an update."""
        connection = self.active
        if connection is None or id_ not in connection.subscriptions.by_id or id_ not in self.wanted:
            return []  # the next connection begins with a snapshot
        delay = self._gap_delay(id_, now)
        connection.subscriptions.renew([id_], now, delay)
        text = "could not queue an update of this book, and subscribes to it again" + _in_seconds(delay)
        failure = self.attempts.report(stream_error("sequence_gap"))
        event = self.exception_event(failure, text, delay or None, phase="read", arg=self.wanted[id_])
        return [event, *self.advance(now)]

    def _renew(self, connection: Connection, message: Message, now: float) -> list[Step]:
        """Subscribe anew to a book that misses an update; one that is wrong again and again ever more slowly."""
        if connection.number in self.retiring:
            if message.book or self.active is None:
                return []  # the connection that replaces it has a book of its own
            connection = self.active
        failure = self.attempts.report(stream_error("sequence_gap"))
        if message.id not in connection.subscriptions.by_id:
            return [self.exception_event(failure, "continues without this book", phase="read")]
        delay = self._gap_delay(message.id, now)
        connection.subscriptions.renew([message.id], now, delay)
        text = "subscribes to it again" + _in_seconds(delay)
        arg = self.wanted.get(message.id)
        return [self.exception_event(failure, text, delay or None, phase="read", arg=arg)]

    def _gap_delay(self, id_: Hashable, now: float) -> float:
        count, last = self._gaps.get(id_, (0, -inf))
        count = count + 1 if now - last < _STEADY_AFTER else 1
        self._gaps[id_] = count, now
        self.gap_count += 1
        return 0.0 if count == 1 else self.attempts.max_delay(count - 1, _MIN_DELAY)


def _in_seconds(delay: float) -> str:
    return " in {delay:.3g} s" if delay else ""
