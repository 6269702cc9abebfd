"""Counts how the calls of one operation ended, without a lock: a driver counts each success by one call into C.

Attempts are counted where they fail. Those that succeed are as many as the calls that ended well, but for those calls
that no attempt of their own has ended; so that a success is counted once.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..classify.failure import Failure
from ..stages.counter import Counter
from ..stages.durations import Durations

__all__ = ["LOOKUP_RESULTS", "OUTCOMES", "OutcomeCounts"]

OUTCOMES = ("ok", "failed", "rejected", "unknown", "cancelled")
"""How a call ends: `unknown` is a write that failed and may have been executed; `rejected` has sent nothing."""
LOOKUP_RESULTS = ("found", "not_found", "unknown")
"""What lookups have found out about a write in doubt when its call ends."""


class OutcomeCounts:
    """The calls of one operation under one policy, by outcome. Safe across threads, tasks and signal handlers.

    An exception that steers the program is no outcome: it is not counted.

    Attributes:
        successes: `next(successes)` counts a call that ended well.
        ok_durations: takes how long a call took that ended well; None while nobody wants to know.
        in_races: the counts of those attempts that are hedged; None before the first.
    """

    __slots__ = ("_attempts", "_counters", "_durations", "_reconciled", "_without_attempt", "in_races", "ok_durations",
                 "successes")  # fmt: skip

    def __init__(self) -> None:
        self._counters = {outcome: Counter() for outcome in OUTCOMES}
        self.successes = self._counters["ok"].numbers
        self._attempts: dict[tuple[str, str], Counter] = {}
        self._reconciled: dict[str, Counter] = {}
        self._without_attempt = Counter()
        self._durations: dict[str, Durations] = {}
        self.ok_durations: Durations | None = None
        self.in_races: OutcomeCounts | None = None

    def numbers(self, outcome: str) -> Iterator[int]:
        """Return an iterator whose `next` counts a call that ended in this way."""
        return self._counters[outcome].numbers

    def add(self, outcome: str, *, by_attempt: bool = True) -> None:
        """Count a call that ended in another way, or well after a failure.

        Args:
            outcome: one of `OUTCOMES`.
            by_attempt: a call that ended well did so by its last attempt, and not by a lookup or a stage.
        """
        if not by_attempt:  # first: a reader between the two lines then counts no attempt that there was not
            self._without_attempt.next_number()
        self._counters[outcome].next_number()

    def add_failed_attempt(self, failure: Failure) -> None:
        """Count an attempt that failed."""
        name = str(failure.category), failure.executed
        counter = self._attempts.get(name)
        if counter is None:
            counter = self._attempts.setdefault(name, Counter())
        counter.next_number()

    def add_reconciled(self, result: str) -> None:
        """Count a call whose write was looked up, by one of `LOOKUP_RESULTS`."""
        counter = self._reconciled.get(result)
        if counter is None:
            counter = self._reconciled.setdefault(result, Counter())
        counter.next_number()

    def add_duration(self, outcome: str, seconds: float, now: float) -> None:
        """Measure how long a call took that ends at this monotonic instant, if somebody wants to know."""
        if self.ok_durations is not None:
            self._durations[outcome].add(seconds, now)

    def measure(self, kept: int) -> None:
        """Measure from now on how long calls take; the last `kept` durations of each outcome can be read one by one."""
        for outcome in OUTCOMES:
            self._durations.setdefault(outcome, Durations(kept)).keep(kept)
        self.ok_durations = self._durations["ok"]

    def measure_no_more(self) -> None:
        """Measure no further call."""
        self.ok_durations = None

    def count_races(self) -> OutcomeCounts:
        """Return the counts of the attempts that are hedged: the race itself counts its calls."""
        if self.in_races is None:
            self.in_races = OutcomeCounts()
        return self.in_races

    def totals(self) -> dict[str, int]:
        """Return how many calls have ended in each way."""
        return {outcome: counter.total() for outcome, counter in self._counters.items()}

    def attempts(self) -> dict[tuple[str, str], int]:
        """Return how many attempts have ended in each way: by category, `ok` for a success, and by `executed`."""
        succeeded = max(0, self._counters["ok"].total() - self._without_attempt.total())
        counted = {("ok", "n_a"): succeeded}
        counted |= {name: counter.total() for name, counter in self._attempts.copy().items()}
        if self.in_races is not None:
            for name, count in self.in_races.attempts().items():
                counted[name] = counted.get(name, 0) + count
        return counted

    def reconciled(self) -> dict[str, int]:
        """Return how many calls have ended after lookups, by what these have found out."""
        counted = {result: counter.total() for result, counter in self._reconciled.copy().items()}
        if self.in_races is not None:
            for result, count in self.in_races.reconciled().items():
                counted[result] = counted.get(result, 0) + count
        return counted

    def durations(self) -> dict[str, Durations]:
        """Return how long calls took, by outcome; empty where that was never measured."""
        return self._durations.copy()
