"""Keeps exported counters from going back when a part of what they sum up is gone, such as the client of a stream.

A monitoring system takes a counter that goes back for a restart, and counts all of it once more.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any
from weakref import ref

__all__ = ["SteadyCounts"]


class SteadyCounts:
    """The counters that one reader has exported. The reader lets one thread in at a time."""

    def __init__(self) -> None:
        self._last: dict[Hashable, int] = {}
        self._sources: dict[ref[Any], dict[Hashable, int]] = {}
        self._gone: dict[Hashable, int] = {}

    def never_less(self, counter: Hashable, total: int) -> int:
        """Return a total, or the last one where that was more: it was read while something was being counted."""
        self._last[counter] = last = max(total, self._last.get(counter, 0))
        return last

    def begin(self) -> None:
        """Keep what sources have counted that are gone. The reader holds all that are still there until it has read."""
        for source in [source for source in self._sources if source() is None]:
            for counter, total in self._sources.pop(source).items():
                self._gone[counter] = self._gone.get(counter, 0) + total
        self._sources = {source: {} for source in self._sources}

    def add(self, source: object, counter: Hashable, total: int) -> None:
        """Note what a source has counted."""
        counts = self._sources.setdefault(ref(source), {})
        counts[counter] = counts.get(counter, 0) + total

    def gone(self) -> Iterable[tuple[Any, int]]:
        """Return what sources have counted that are gone, by the counter."""
        return self._gone.items()
