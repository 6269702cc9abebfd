"""Counts how the calls of one operation ended, without a lock: a driver counts each success by one call into C."""

from __future__ import annotations

from collections.abc import Iterator

from ..stages.counter import Counter

__all__ = ["OUTCOMES", "OutcomeCounts"]

OUTCOMES = ("ok", "failed", "rejected", "unknown", "cancelled")
"""How a call ends: `unknown` is a write that failed and may have been executed; `rejected` has sent nothing."""


class OutcomeCounts:
    """The calls of one operation under one policy, by outcome. Safe across threads, tasks and signal handlers.

    An exception that steers the program is no outcome: it is not counted.

    Attributes:
        successes: `next(successes)` counts a call that ended well.
    """

    __slots__ = ("_counters", "successes")

    def __init__(self) -> None:
        self._counters = {outcome: Counter() for outcome in OUTCOMES}
        self.successes = self._counters["ok"].numbers

    def numbers(self, outcome: str) -> Iterator[int]:
        """Return an iterator whose `next` counts a call that ended in this way."""
        return self._counters[outcome].numbers

    def add(self, outcome: str) -> None:
        """Count a call that ended in another way, or well after a failure."""
        self._counters[outcome].next_number()

    def totals(self) -> dict[str, int]:
        """Return how many calls have ended in each way."""
        return {outcome: counter.total() for outcome, counter in self._counters.items()}
