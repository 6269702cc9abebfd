"""Counts outcomes over the last seconds, to within a tenth of the span, or over the last calls, exactly.

Every outcome takes a number of a `Counter`, which needs no lock. Failures and slow successes are also counted apart,
by the owner under the owner's lock: successes = all - failures. The work for one outcome does not grow with the number
of calls. A breaker that limits slow calls counts them as slow successes; a retry budget counts its calls as successes
and its retries as failures.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from itertools import count, pairwise
from math import inf
from threading import RLock
from typing import Any

from ..base.fork_safety import new_lock
from .counter import Counter, numbers_taken

__all__ = ["CallCountWindow", "Counts", "OutcomeWindow"]

_SLICES = 10

Counts = tuple[int, int, int]
"""(successes, failures, slow successes): the slow ones are among the successes."""
_Mark = tuple[float, int, int, int]
"""(instant, total, failures, slow successes): what had been counted before that instant since the window was made."""


class OutcomeWindow:
    """Counts the outcomes of the last `span` seconds. Safe across threads.

    Attributes:
        span: seconds.
        end: monotonic instant at which the present slice ends.
        numbers: `next(numbers)` counts one success.
        failures: failures since the window was made.
        slow: slow successes since the window was made.
    """

    # A driver does inline what `add_success` does: `end` and `numbers` are there for it. The totals never go back: a
    # window is cleared by a new first mark, so a success that was on its way meanwhile cannot restore an old count.
    # A mark has the label of the end of its slice, because all that it counts happened before that instant. A signal
    # handler may count in the middle of any method: a mark more or less, or numbers out of order, change no total.
    #
    # A window whose first slice has not ended is a few numbers: there may be very many, each of a breaker's key. The
    # lock, and the marks after the first one, are made when they are needed.
    __slots__ = ("_loaded", "_lock", "_marks", "_slice", "end", "failures", "numbers", "slow", "span")

    def __init__(self, span: float, now: float) -> None:
        self.span = span
        self._slice = span / _SLICES
        self._lock: RLock | None = None
        self.numbers = count()
        self._loaded = self.failures = self.slow = 0
        self.end = now + self._slice
        self._marks: deque[_Mark] | None = None

    @property
    def total(self) -> int:
        """Return how many outcomes were counted since it was made."""
        return numbers_taken(self.numbers) + self._loaded

    def clear(self, now: float) -> None:
        """Forget everything."""
        self.end = now + self._slice
        self._marks = _new_marks((now - self.span, self.total, self.failures, self.slow))

    def retune(self, span: float, now: float) -> None:
        """Count over another span from now on; what is remembered still counts."""
        with self._own_lock():
            before = self._own_marks()
            self.span, self._slice = span, span / _SLICES
            marks = [before[0]]
            for mark in before:
                if mark[0] - marks[-1][0] >= self._slice:
                    marks.append(mark)
            self._marks = _new_marks(*marks)
            self.end = min(self.end, now + self._slice)

    def add_success(self, now: float) -> None:
        """Count a success; takes no lock."""
        if now >= self.end:
            self.close_slice(now)
        next(self.numbers)

    def add_failure(self, now: float) -> None:
        """Count a failure; the caller holds its own lock."""
        if now >= self.end:
            self.close_slice(now)
        next(self.numbers)
        self.failures += 1

    def add_slow_success(self, now: float) -> None:
        """Count a slow success; the caller holds its own lock."""
        self.add_success(now)
        self.slow += 1

    def close_slice(self, now: float) -> None:
        """Close the slice that has ended; at most ten times per span."""
        with self._own_lock():
            if now >= self.end:  # another thread may have closed it since the caller looked
                marks, since = self._own_marks(), now - self.span
                marks.append((self.end, self.total, self.failures, self.slow))
                while len(marks) > 1 and marks[1][0] <= since:  # has left the span; so `counts` need not search
                    marks.popleft()
                self.end = now + self._slice

    def counts(self, now: float) -> Counts:
        """Return the counts of the last `span` seconds."""
        if now >= self.end:
            self.close_slice(now)
        marks, since = self._marks or self._own_marks(), now - self.span
        # Nearly always no mark has left the span since this was last asked, and nothing is copied.
        oldest = marks[0] if len(marks) < 2 or marks[1][0] > since else _marks_since(since, list(marks))[0]
        _, total, failures, slow = oldest
        recent_failures = self.failures - failures
        counted = numbers_taken(self.numbers) + self._loaded - total
        return counted - recent_failures, recent_failures, self.slow - slow

    def recent(self, now: float) -> Counts:
        """Return the counts as `counts` does, without a lock, so that a reader delays no call.

        It closes no slice. What other threads count meanwhile may be missing.
        """
        end, failures, slow = self.end, self.failures, self.slow
        total = self.total  # after the failures, which are among them
        marks = [self._first_mark()] if self._marks is None else list(self._marks)
        if now >= end:
            marks.append((end, total, failures, slow))
        _, old_total, old_failures, old_slow = _marks_since(now - self.span, marks)[0]
        failed = max(0, failures - old_failures)
        return max(0, total - old_total - failed), failed, max(0, slow - old_slow)

    def export(self, now: float) -> dict[str, Any]:
        """Return the counts as plain data: `[seconds ago, successes, failures, slow successes]` for each slice."""
        marks = [*self._marks_within(now), (now, self.total, self.failures, self.slow)]
        slices = []
        for (_, total, failures, slow), (end, total_then, failures_then, slow_then) in pairwise(marks):
            failures_inside = failures_then - failures
            if total_then > total:
                slices.append([now - end, total_then - total - failures_inside, failures_inside, slow_then - slow])
        return {"slices": slices}

    def load(self, saved: dict[str, Any], now: float) -> None:
        """Take counts that `export` gave, the oldest slice first; those of another kind of window are ignored."""
        self.clear(now)
        for age, successes, failures, slow in saved.get("slices", ()):
            if age < self.span:
                self._loaded += successes + failures
                self.failures += failures
                self.slow += slow
                self._own_marks().append((now - age, self.total, self.failures, self.slow))

    def _marks_within(self, now: float) -> list[_Mark]:
        """Return the last mark before the span began, and those that are inside it."""
        if now >= self.end:
            self.close_slice(now)
        return _marks_since(now - self.span, list(self._own_marks()))

    def _own_lock(self) -> RLock:
        if self._lock is None:
            created = new_lock()
            if self._lock is None:  # no other thread, nor a signal handler, runs between this line and the next
                self._lock = created
        return self._lock

    def _own_marks(self) -> deque[_Mark]:
        if self._marks is None:
            created = _new_marks(self._first_mark())
            if self._marks is None:  # as above; `clear` may have made them meanwhile
                self._marks = created
        return self._marks

    def _first_mark(self) -> _Mark:
        """Return the mark of the instant at which it was made. Called only during the first slice, or at its end."""
        return self.end - self._slice - self.span, 0, 0, 0


def _new_marks(*marks: _Mark) -> deque[_Mark]:
    # Eleven marks bound ten slices; a slice that ended late overlaps two, so a few more are kept.
    return deque(marks, maxlen=_SLICES + 4)


def _marks_since(since: float, marks: list[_Mark]) -> list[_Mark]:
    """Return the last mark up to an instant, and those after it."""
    while len(marks) > 1 and marks[1][0] <= since:
        del marks[0]
    return marks


class CallCountWindow:
    """Counts the last `size` outcomes, whenever they happened. Drivers use it as they use an `OutcomeWindow`.

    The numbers of failures and slow successes are kept, and forgotten once they are `size` numbers back.
    """

    __slots__ = ("_counter", "_failures", "_slow_successes", "_start", "end", "failures", "numbers", "size", "slow")

    def __init__(self, size: int, now: float) -> None:
        self.size = size
        self.failures = self.slow = 0  # since the window was made
        self.end = inf  # no slice ever ends: a driver's check of `end` never calls `close_slice`
        self._counter = Counter()
        self.numbers = self._counter.numbers
        self.clear(now)

    @property
    def total(self) -> int:
        """Return how many outcomes were counted since it was made."""
        return self._counter.total()

    def clear(self, _now: float) -> None:
        """Forget everything."""
        self._start = self.total
        self._failures: deque[int] = deque()
        self._slow_successes: deque[int] = deque()

    def retune(self, size: int, _now: float) -> None:
        """Change the window to the last `size` calls.

        Failures from before the old window were not kept, so a larger one begins where the old one began.
        """
        self._start = max(self._start, self.total - self.size)
        self.size = size

    def close_slice(self, _now: float) -> None:
        """Do nothing: a window of calls has no slices."""

    def add_success(self, _now: float) -> None:
        """Count a success; takes no lock."""
        next(self.numbers)

    def add_failure(self, _now: float) -> None:
        """Count a failure; the caller holds its own lock."""
        self.failures += 1
        self._add(self._failures)

    def add_slow_success(self, _now: float) -> None:
        """Count a slow success; the caller holds its own lock."""
        self.slow += 1
        self._add(self._slow_successes)

    def counts(self, _now: float) -> Counts:
        """Return the counts of the last `size` outcomes; the caller holds its own lock."""
        last = self.total
        since = self._forget(last)
        return last - since - len(self._failures), len(self._failures), len(self._slow_successes)

    def recent(self, _now: float) -> Counts:
        """Return the counts as `counts` does, without the owner's lock, so that a reader delays no call."""
        # `tuple` copies in one call into C. The total is read after it, so that it includes every number.
        failures, slow = tuple(self._failures), tuple(self._slow_successes)
        last = self.total
        since = max(self._start, last - self.size)
        failed = len(failures) - bisect_right(failures, since)
        return max(0, last - since - failed), failed, len(slow) - bisect_right(slow, since)

    def export(self, _now: float) -> dict[str, Any]:
        """Return the counts as plain data: how many calls, and how many calls ago each failure and slow success was."""
        last = self.total
        since = self._forget(last)
        failures, slow = ([last - number for number in numbers] for numbers in (self._failures, self._slow_successes))
        return {"calls": last - since, "failed": failures, "slow": slow}

    def load(self, saved: dict[str, Any], now: float) -> None:
        """Take counts that `export` gave; those of another kind of window are ignored."""
        self.clear(now)
        self._counter.add(saved.get("calls", 0))
        last = self._start + saved.get("calls", 0)
        self._failures.extend(last - age for age in saved.get("failed", ()))
        self._slow_successes.extend(last - age for age in saved.get("slow", ()))

    def _add(self, numbers: deque[int]) -> None:
        number = self._counter.next_number()
        numbers.append(number)
        self._forget(number)

    def _forget(self, last: int) -> int:
        """Drop the numbers that are too far back; return the last number that does not count any more."""
        since = max(self._start, last - self.size)
        for numbers in (self._failures, self._slow_successes):
            while numbers and numbers[0] <= since:
                numbers.popleft()
        return since
