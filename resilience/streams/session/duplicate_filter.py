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

    def check(self, message: Message) -> str:
        """Record an update and return `next`, `old` (received before) or `gap` (updates before it are missing)."""
        if message.seq is None or message.after is None:
            return "next"
        last = self._last.get(message.id)
        if last is not None and message.seq <= last:
            return "old"
        if not message.snapshot and last is None and message.id in self._last:
            return "old"  # after a gap only a snapshot helps: changes before it cannot be applied
        if not message.snapshot and last is not None and message.after != last:
            self._last[message.id] = None
            return "gap"
        self._last[message.id] = message.seq
        return "next"
