"""Keeps how calls have ended, by policy and operation, and switches on that it is measured how long they take."""

from __future__ import annotations

from collections.abc import Callable

from .._core.base.fork_safety import new_lock
from .._core.call.outcome_counts import OutcomeCounts

__all__ = ["CallCounts"]

MAX_OPERATIONS = 4096  # that are counted by name


class CallCounts:
    """The counts of one set of policies. Safe across threads, tasks and signal handlers."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], OutcomeCounts] = {}
        self._readers: dict[object, int] = {}
        self._lock = new_lock()

    def of(self, policy: str, operation: str) -> OutcomeCounts:
        """Return the counts of an operation under a policy; beyond a number of names, those of all the others."""
        name = policy, operation
        if name not in self._counts and len(self._counts) >= MAX_OPERATIONS:
            name = policy, "other"
        counts = self._counts.setdefault(name, OutcomeCounts())
        if self._readers:
            counts.measure(max(self._readers.values()))
        return counts

    def all(self) -> dict[tuple[str, str], OutcomeCounts]:
        """Return the counts by policy and operation."""
        return self._counts.copy()

    def measure(self, kept: int) -> Callable[[], None]:
        """Measure how long calls take, until the returned function is called; one more reader each time.

        Args:
            kept: how many durations of an operation and outcome can be read one by one.
        """
        reader = object()
        with self._lock:
            self._readers[reader] = kept
            for counts in self.all().values():
                counts.measure(kept)

        def stop() -> None:
            with self._lock:
                self._readers.pop(reader, None)
                for counts in self.all().values() if not self._readers else ():
                    counts.measure_no_more()

        return stop
