"""Measures durations for a histogram: a caller appends a number, and the buckets are filled later, many at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from itertools import islice
from math import inf
from typing import NamedTuple

from ..base.fork_safety import new_lock

__all__ = ["BOUNDS", "Durations", "Histogram", "merged"]

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the buckets, seconds. A last bucket has no bound."""
SLICE = 1.0  # seconds; what was measured in them is kept one by one


class Histogram(NamedTuple):
    """What was measured so far.

    Attributes:
        counts: how many durations are in each bucket, that without a bound last.
        total: their sum, seconds.
    """

    counts: tuple[int, ...]
    total: float


class Durations:
    """Durations of one kind. Safe across threads, tasks and signal handlers.

    A hot path appends to `samples`, and calls `close_slice` where its present instant is not before `end`. So it makes
    one call into C for each duration, and what is kept one by one is what one second brings.

    Attributes:
        samples: seconds that are in no bucket yet.
        end: the monotonic instant from which `close_slice` is to be called.
    """

    __slots__ = ("__weakref__", "_counts", "_lock", "_recent", "_total", "end", "samples")

    def __init__(self, kept: int = 0) -> None:
        """Begin empty; the last `kept` durations can be read one by one."""
        self.samples: list[float] = []
        self.end = -inf
        self._counts = [0] * (len(BOUNDS) + 1)
        self._total = 0.0
        self._recent: deque[float] = deque(maxlen=kept)
        self._lock = new_lock()

    def add(self, seconds: float, now: float) -> None:
        """Add a duration that ends at this monotonic instant."""
        self.samples.append(seconds)
        if now >= self.end:
            self.close_slice(now)

    def close_slice(self, now: float) -> None:
        """Fill the buckets; nobody waits for that: where another thread does it already, it is left to that one."""
        self.end = now + SLICE
        if self._lock.acquire(blocking=False):
            try:
                self._fill()
            finally:
                self._lock.release()

    def keep(self, count: int) -> None:
        """Keep more of the last durations one by one from now on."""
        with self._lock:
            if (self._recent.maxlen or 0) < count:
                self._recent = deque(self._recent, maxlen=count)

    def read(self) -> Histogram:
        """Return what was measured so far."""
        with self._lock:
            self._fill()
            return Histogram(tuple(self._counts), self._total)

    def since(self, seen: int) -> tuple[list[float], int]:
        """Return the durations after the first `seen`, as far as they are kept, and how many there are in all."""
        with self._lock:
            self._fill()
            count = sum(self._counts)
            new = min(count - seen, len(self._recent))
            return list(islice(self._recent, len(self._recent) - new, None)), count

    def _fill(self) -> None:
        """Move what was appended into the buckets. The caller holds the lock."""
        # Slices of a list are one call into C each: what other threads append meanwhile comes after them.
        batch = self.samples[:]
        del self.samples[: len(batch)]
        self._recent.extend(batch)
        self._total += sum(batch)
        batch.sort()
        below = 0
        for index, bound in enumerate(BOUNDS):
            up_to = bisect_right(batch, bound)
            self._counts[index] += up_to - below
            below = up_to
        self._counts[-1] += len(batch) - below


def merged(durations: Iterable[Durations]) -> Histogram:
    """Return what several have measured together."""
    histograms = [one.read() for one in durations]
    counts = zip(*(histogram.counts for histogram in histograms), strict=True)
    return Histogram(tuple(map(sum, counts)), sum(histogram.total for histogram in histograms))
