"""Running counts over the last seconds, to within a tenth of the span, or over the last calls, exactly.

Everything that is counted takes a number of a `Counter`, which needs no lock; the rare things and the
slow ones are also counted apart, by the owner under the owner's lock. No work grows with the number
of calls, and numbers never go back: a success that was on its way while the window was cleared
brings no old count back.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from math import inf
from typing import Any

from ..base.fork_safety import new_lock
from .counter import Counter

__all__ = ["CallCountWindow", "Counts", "OutcomeWindow"]

_SLICES = 10

Counts = tuple[int, int, int]
"""(common, rare, slow): the slow ones are among the common."""


class OutcomeWindow:
    """Counts the things of the last `span` seconds. Safe across threads as said above.

    A driver does inline what `add_common` does: `end` and `numbers` are there for it. A checkpoint is
    labelled with the end of the slice that it closes, because everything counted before it happened
    before that instant.
    """

    __slots__ = ("_counter", "_lock", "_marks", "_slice", "end", "numbers", "rare", "slow", "span")

    def __init__(self, span: float, now: float) -> None:
        self.span = span
        self._slice = span / _SLICES
        self._lock = new_lock()
        self._counter = Counter()
        self.numbers = self._counter.numbers
        self.rare = self.slow = 0
        self.clear(now)

    @property
    def seen(self) -> int:
        """Return how many things were counted since it was made."""
        return self._counter.seen()

    def clear(self, now: float) -> None:
        """Forget everything."""
        self.end = now + self._slice
        nought = (now - self.span, self.seen, self.rare, self.slow)
        self._marks: deque[tuple[float, int, int, int]] = deque([nought], maxlen=_SLICES + 4)

    def retune(self, span: float, now: float) -> None:
        """Look back another span from now on; what is remembered still counts."""
        with self._lock:
            self.span, self._slice = span, span / _SLICES
            kept = [self._marks[0]]
            for mark in self._marks:
                if mark[0] - kept[-1][0] >= self._slice:
                    kept.append(mark)
            self._marks = deque(kept, maxlen=_SLICES + 4)
            self.end = min(self.end, now + self._slice)

    def add_common(self, now: float) -> None:
        """Count one common thing; takes no lock."""
        if now >= self.end:
            self.close_slice(now)
        next(self.numbers)

    def add_rare(self, now: float) -> None:
        """Count one rare thing; the caller holds its own lock."""
        self.add_common(now)
        self.rare += 1

    def add_slow(self, now: float) -> None:
        """Count one common thing that was slow; the caller holds its own lock."""
        self.add_common(now)
        self.slow += 1

    def close_slice(self, now: float) -> None:
        """Close the slice that has ended; ten times a span at most."""
        with self._lock:
            if now >= self.end:
                self._marks.append((self.end, self.seen, self.rare, self.slow))
                self.end = now + self._slice

    def counts(self, now: float) -> Counts:
        """Return what the last `span` seconds held."""
        _, seen, rare, slow = self._since(now)[0]
        bad = self.rare - rare
        return self.seen - seen - bad, bad, self.slow - slow

    def export(self, now: float) -> dict[str, Any]:
        """Return the counts as plain data: a row `[seconds ago, common, rare, slow]` for each slice."""
        marks = [*self._since(now), (now, self.seen, self.rare, self.slow)]
        slices = []
        for (_, seen, rare, slow), (end, seen_then, rare_then, slow_then) in pairwise(marks):
            bad = rare_then - rare
            if seen_then > seen:
                slices.append([now - end, seen_then - seen - bad, bad, slow_then - slow])
        return {"slices": slices}

    def load(self, saved: dict[str, Any], now: float) -> None:
        """Take counts that `export` gave, the oldest slice first; those of another kind of window stay out."""
        self.clear(now)
        for ago, common, rare, slow in saved.get("slices", ()):
            if ago < self.span:
                self._counter.skip(common + rare)
                self.rare += rare
                self.slow += slow
                self._marks.append((now - ago, self.seen, self.rare, self.slow))

    def _since(self, now: float) -> list[tuple[float, int, int, int]]:
        """Return the last checkpoint before the span, and those that are inside it."""
        if now >= self.end:
            self.close_slice(now)
        since, marks = now - self.span, list(self._marks)
        while len(marks) > 1 and marks[1][0] <= since:
            del marks[0]
        return marks


class CallCountWindow:
    """Counts the last `size` things, whenever they happened. Used by drivers as a `OutcomeWindow` is.

    The rare and the slow keep their numbers; what lies `size` numbers back is forgotten.
    """

    __slots__ = ("_counter", "_nought", "_rare", "_slow", "end", "numbers", "size")

    def __init__(self, size: int, now: float) -> None:
        self.size = size
        self.end = inf  # no slice ever ends
        self._counter = Counter()
        self.numbers = self._counter.numbers
        self.clear(now)

    @property
    def seen(self) -> int:
        """Return how many things were counted since it was made."""
        return self._counter.seen()

    def clear(self, _now: float) -> None:
        """Forget everything."""
        self._nought = self.seen
        self._rare: deque[int] = deque()
        self._slow: deque[int] = deque()

    def retune(self, size: int, _now: float) -> None:
        """Count another number of things from now on; the rare ones of before it were not kept, so they stay out."""
        self._nought = max(self._nought, self.seen - self.size)
        self.size = size

    def close_slice(self, _now: float) -> None:
        """Nothing: a count of calls has no slices."""

    def add_common(self, _now: float) -> None:
        """Count one common thing; takes no lock."""
        next(self.numbers)

    def add_rare(self, _now: float) -> None:
        """Count one rare thing; the caller holds its own lock."""
        self._add(self._rare)

    def add_slow(self, _now: float) -> None:
        """Count one common thing that was slow; the caller holds its own lock."""
        self._add(self._slow)

    def counts(self, _now: float) -> Counts:
        """Return what the last `size` things were; the caller holds its own lock."""
        last = self.seen
        since = self._forget(last)
        return last - since - len(self._rare), len(self._rare), len(self._slow)

    def export(self, _now: float) -> dict[str, Any]:
        """Return the counts as plain data: how many, and how many things ago each rare and each slow one was."""
        last = self.seen
        since = self._forget(last)
        rare, slow = ([last - number for number in kept] for kept in (self._rare, self._slow))
        return {"calls": last - since, "failed": rare, "slow": slow}

    def load(self, saved: dict[str, Any], now: float) -> None:
        """Take counts that `export` gave; those of another kind of window stay out."""
        self.clear(now)
        self._counter.skip(saved.get("calls", 0))
        last = self._nought + saved.get("calls", 0)
        self._rare.extend(last - ago for ago in saved.get("failed", ()))
        self._slow.extend(last - ago for ago in saved.get("slow", ()))

    def _add(self, kept: deque[int]) -> None:
        number = self._counter.take()
        kept.append(number)
        self._forget(number)

    def _forget(self, last: int) -> int:
        """Drop what is too long ago; return the number from which on things count."""
        since = max(self._nought, last - self.size)
        for kept in (self._rare, self._slow):
            while kept and kept[0] <= since:
                kept.popleft()
        return since
