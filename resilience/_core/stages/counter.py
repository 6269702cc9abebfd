"""Provides a counter built on `itertools.count`: counting takes no lock, and no count is lost between threads."""

from __future__ import annotations

from itertools import count

from ..base.fork_safety import new_lock

__all__ = ["Counter"]


class Counter:
    """A count that only grows. Safe across threads.

    Attributes:
        numbers: `next(numbers)` adds 1 to the count. It is the same object for ever, so that a driver may hold it.
    """

    # `next` of an `itertools.count` is one call into C, so no other thread runs inside it under the GIL; a build
    # without the GIL increments by compare-and-exchange (CPython 3.13, gh-117657). `self.total += 1` is not atomic: a
    # thread switch between its read and its write loses a count.
    #
    # An `itertools.count` cannot be read without taking a number. So a reader takes one as well, under the lock, and
    # `_read` says how many were taken like that: total = next number - numbers taken for reading.
    __slots__ = ("_lock", "_read", "numbers")

    def __init__(self) -> None:
        self._lock = new_lock()
        self._read = 0
        self.numbers = count()

    def total(self) -> int:
        """Return the count."""
        with self._lock:
            self._read += 1
            return next(self.numbers) + 1 - self._read

    def next_number(self) -> int:
        """Add 1 to the count and return it, so that the first number is 1."""
        with self._lock:
            return next(self.numbers) + 1 - self._read

    def add(self, number: int) -> None:
        """Add `number` to the count."""
        with self._lock:
            self._read -= number
