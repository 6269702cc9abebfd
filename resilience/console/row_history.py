"""Keeps the last ten minutes of each row and of the calls, in a bounded number of points."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from .live_rows import LiveRow

__all__ = ["INTERVAL", "POINTS", "RowHistory"]

INTERVAL = 5.0  # seconds between two points
POINTS = 120  # ten minutes
_MAX_ROWS = 300
_LEVELS = ("calm", "warn", "bad")

Point = tuple[int, int] | None
"""A value in percent and the index of its level; None where the row did not exist."""


class RowHistory:
    """The points of all rows. Used by one thread."""

    def __init__(self) -> None:
        self._points: dict[str, deque[Point]] = {}
        self._length = 0

    def add(self, rows: Iterable[LiveRow]) -> None:
        """Add a point to each row; one that is gone gets an empty one, until nothing is left of it."""
        now = {row.id: row for row in rows}
        for name in now:
            if name not in self._points and len(self._points) < _MAX_ROWS:
                self._points[name] = deque([None] * self._length, maxlen=POINTS)
        for name, points in list(self._points.items()):
            points.append(point_of(now[name]) if name in now else None)
            if not any(points):
                del self._points[name]
        self._length = min(POINTS, self._length + 1)

    def points(self) -> dict[str, list[Any]]:
        """Return the points of each row, the oldest first."""
        return {name: list(points) for name, points in self._points.items()}


def point_of(row: LiveRow) -> Point:
    """Return the point of a row as it is now."""
    return round(100 * (row.value or 0.0)), _LEVELS.index(row.level)
