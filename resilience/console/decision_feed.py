"""Keeps the latest decisions as sentences; the same one again within a short time is counted and not repeated."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

__all__ = ["DecisionFeed"]

_KEPT = 100
_MERGED_WITHIN = 30.0  # seconds since the sentence was last said


class DecisionFeed:
    """The feed of "Lately". Used by one thread."""

    def __init__(self) -> None:
        self._entries: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self._latest: dict[str, int] = {}
        self._changed: set[int] = set()
        self._number = 0

    def add(self, sentence: str, level: str, at: float) -> None:
        """Add a sentence, or count it if it was said just before."""
        number = self._latest.get(sentence)
        entry = None if number is None else self._entries.get(number)
        if entry is None or at - entry["at"] > _MERGED_WITHIN:
            self._number += 1
            number = self._latest[sentence] = self._number
            entry = {"id": number, "text": sentence, "level": level, "count": 0}
        assert number is not None
        self._entries[number] = {**entry, "at": at, "count": entry["count"] + 1}
        self._entries.move_to_end(number)
        self._changed.add(number)
        if len(self._entries) > _KEPT:
            oldest, dropped = self._entries.popitem(last=False)
            self._changed.discard(oldest)
            if self._latest.get(dropped["text"]) == oldest:
                del self._latest[dropped["text"]]

    def entries(self) -> list[dict[str, Any]]:
        """Return all entries, the oldest first."""
        return list(self._entries.values())

    def take_changed(self) -> list[dict[str, Any]]:
        """Return the entries that were added or counted since the last time, the oldest first."""
        changed, self._changed = self._changed, set()
        return [entry for number, entry in self._entries.items() if number in changed]
