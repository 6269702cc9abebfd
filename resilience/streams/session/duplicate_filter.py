"""Filters duplicate updates while two connections overlap, and checks sequence numbers."""

from __future__ import annotations

import json
from collections.abc import Hashable

from ..._core.base.bounded_dict import BoundedDict
from .dialect import Message

__all__ = ["DuplicateFilter", "SequenceNumbers"]

_MAX_UPDATES = 20_000


class DuplicateFilter:
    """Recognises the second copy of an update while an old and a new connection both deliver it.

    An update is identified by its subscription and its data. The rest of the frame is ignored, because the send time
    differs between the copies.
    """

    def __init__(self) -> None:
        self._first_connection: BoundedDict[Hashable, int] = BoundedDict(_MAX_UPDATES)

    def is_new(self, message: Message, connection: int) -> bool:
        """Return False if another connection delivered this update; the same connection may repeat one."""
        data = message.body.get("data")
        key = message.id, message.snapshot, json.dumps(data, sort_keys=True, default=str)
        # The first connection is kept, not a mere mark: on one connection two equal updates are two events.
        return self._first_connection.setdefault(key, connection) == connection


class SequenceNumbers:
    """The last sequence number of each numbered subscription."""

    def __init__(self) -> None:
        self._last: dict[Hashable, int | None] = {}

    def clear(self) -> None:
        """Forget all numbers: a new connection starts its own."""
        self._last.clear()

    def check(self, message: Message, *, overlapping: bool = False) -> str:
        """Record an update and return `next`, `old` (received before) or `gap` (updates before it are missing).

        Args:
            message: the update.
            overlapping: two connections deliver the subscription just now.
        """
        if message.seq is None:
            return "next"
        verdict = self._compare(message, message.seq, overlapping)
        if verdict != "old":
            self._last[message.id] = message.seq if verdict == "next" else None
        return verdict

    def _compare(self, message: Message, seq: int, overlapping: bool) -> str:
        last, after = self._last.get(message.id), message.after
        if message.id in self._last and last is None:
            return "next" if message.snapshot else "old"  # after a gap only a snapshot helps
        if last is None:
            return "next"
        if message.snapshot or after is None:
            # One connection delivers in order, and its numbers may begin again; two may overtake each other.
            return "old" if overlapping and seq <= last else "next"
        return _compare_numbers(seq, after, last)


def _compare_numbers(seq: int, after: int, last: int) -> str:
    if after == 0 and last:
        return "gap"  # the numbers began again
    if seq <= last:
        return "old"
    # The first update after a snapshot may begin before it: what it repeats is absolute.
    return "gap" if after > last else "next"
