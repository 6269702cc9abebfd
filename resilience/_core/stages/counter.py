"""How many things there were, counted without a lock: each takes a number and forgets it.

Who reads takes a number too, and the tally knows how many were taken for reading. So nothing is
written by who counts, and no count is lost between threads.
"""

from __future__ import annotations

from itertools import count

from ..base.fork_safety import new_lock

__all__ = ["Counter"]


class Counter:
    """A count that only grows. Safe across threads.

    Attributes:
        numbers: `next` of it counts one thing; the same object for ever, so that a driver may hold it.
    """

    __slots__ = ("_lock", "_read", "numbers")

    def __init__(self) -> None:
        self._lock = new_lock()
        self._read = 0
        self.numbers = count()

    def seen(self) -> int:
        """Return how many there were."""
        with self._lock:
            self._read += 1
            return next(self.numbers) + 1 - self._read

    def take(self) -> int:
        """Count one thing and return its number, from 1."""
        with self._lock:
            return next(self.numbers) + 1 - self._read

    def skip(self, many: int) -> None:
        """Go on as if there had been so many more."""
        with self._lock:
            self._read -= many
