"""Provides a counter built on `itertools.count`: counting takes no lock, and no count is lost between threads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

__all__ = ["Counter", "numbers_taken"]


def numbers_taken(numbers: Iterator[int]) -> int:
    """Return how many numbers an `itertools.count()` has given out; takes none."""
    # It is read by its `repr`, `count(3)`, which is one call into C. A lock is not needed for it, and a signal handler
    # that counts in the middle of a read changes nothing.
    return int(repr(numbers)[6:-1])


class Counter:
    """A count that only grows. Safe across threads.

    Attributes:
        numbers: `next(numbers)` adds 1 to the count. It is the same object for ever, so that a driver may hold it.
    """

    # `next` of an `itertools.count` is one call into C, so no other thread runs inside it under the GIL.
    __slots__ = ("_added", "numbers")

    def __init__(self) -> None:
        self._added = 0
        self.numbers = count()

    def total(self) -> int:
        """Return the count."""
        return numbers_taken(self.numbers) + self._added

    def next_number(self) -> int:
        """Add 1 to the count and return it, so that the first number is 1."""
        return next(self.numbers) + 1 + self._added

    def add(self, number: int) -> None:
        """Add `number` to the count; the caller holds its own lock."""
        self._added += number
