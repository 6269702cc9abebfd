"""Two running counts over the last seconds, to within a tenth of the span.

The common count is lock-free (a prebound `itertools.count`), the rare one is kept by its owner
under the owner's lock. No work grows with the number of calls. A checkpoint is labelled with the
end of the slice it closes, because everything counted before it happened before that instant.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from threading import Lock

__all__ = ["Window"]

_SLICES = 10


class Window:
    """Counts `common` and `rare` things of the last `span` seconds. Safe across threads as said above.

    A driver does inline what `add_common` does: `end`, `next` and `common` are there for it.
    """

    __slots__ = ("_lock", "_marks", "_slice", "common", "end", "next", "rare", "span")

    def __init__(self, span: float, now: float) -> None:
        self.span = span
        self._slice = span / _SLICES
        self._lock = Lock()
        self.clear(now)

    def clear(self, now: float) -> None:
        """Forget everything."""
        self.next = count(1).__next__
        self.common = 0
        self.rare = 0
        self.end = now + self._slice
        self._marks: deque[tuple[float, int, int]] = deque([(now - self.span, 0, 0)], maxlen=_SLICES + 2)

    def add_common(self, now: float) -> None:
        """Count one common thing; takes no lock."""
        if now >= self.end:
            self.turn(now)
        self.common = self.next()

    def add_rare(self, now: float) -> None:
        """Count one rare thing; the caller holds its own lock."""
        if now >= self.end:
            self.turn(now)
        self.rare += 1

    def turn(self, now: float) -> None:
        """Close the slice that has ended; ten times a span at most."""
        with self._lock:
            if now >= self.end:
                self._marks.append((self.end, self.common, self.rare))
                self.end = now + self._slice

    def counts(self, now: float) -> tuple[int, int]:
        """Return (common, rare) of the last `span` seconds."""
        if now >= self.end:
            self.turn(now)
        since = now - self.span
        common = rare = 0
        for end, seen, failed in tuple(self._marks):
            if end > since:
                break
            common, rare = seen, failed
        return self.common - common, self.rare - rare
