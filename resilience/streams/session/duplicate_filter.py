"""What came already while two connections overlap, and whether numbered updates follow each other."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Hashable

from .dialect import Message

__all__ = ["Echo", "Sequence"]

_MOST = 20_000


class Echo:
    """Tells the second copy of an update from the first, while an old and a new connection both bring it.

    An update is known by its subscription and what it holds; the time at which each copy was sent may differ.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, int] = OrderedDict()

    def fresh(self, message: Message, link: int) -> bool:
        """Tell whether no other connection has brought this update; the same one may bring it twice."""
        held = message.body.get("data")
        key = message.id, message.snapshot, json.dumps(held, sort_keys=True, default=str)
        first = self._seen.setdefault(key, link)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        return first == link


class Sequence:
    """The last number of each numbered subscription."""

    def __init__(self) -> None:
        self._last: dict[Hashable, int | None] = {}

    def forget(self, one: Hashable) -> None:
        """Begin anew: the next update must be a snapshot."""
        self._last[one] = None

    def clear(self) -> None:
        """Forget every number: the connection is a new one."""
        self._last.clear()

    def judge(self, message: Message) -> str:
        """Return `next`, `old` (it came already) or `gap` (something is missing before it), and count it."""
        if message.seq is None or message.after is None:
            return "next"
        known = message.id in self._last
        last = self._last.get(message.id)
        if message.snapshot:
            if last is not None and message.seq <= last:
                return "old"
        elif known and last is None:
            return "old"  # it waits for a snapshot: what comes before that one belongs to the time before the gap
        elif last is not None and message.seq <= last:
            return "old"
        elif last is not None and message.after != last:
            self._last[message.id] = None
            return "gap"
        self._last[message.id] = message.seq
        return "next"
