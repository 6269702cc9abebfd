"""A retry budget: retries may be a share of the calls, with a floor for quiet times.

Over the last ten seconds at most `ratio` x calls retries are allowed, or `floor` x ten seconds
where that is more. A share stops a retry storm where a limit per call cannot: when everything
fails, attempts stay at 1 + ratio times the calls.
"""

from __future__ import annotations

from ..base.fork_safety import new_lock
from ..policy.sections import BudgetSettings
from .outcome_window import OutcomeWindow

__all__ = ["Budget"]

_SPAN = 10.0


class Budget:
    """The retries that all calls of one policy share. Safe across threads and tasks.

    A driver counts each call into `deposits`, inline.
    """

    __slots__ = ("_floor", "_lock", "_ratio", "deposits", "settings")

    def __init__(self, settings: BudgetSettings, now: float) -> None:
        self.settings = settings
        self._ratio = settings.ratio
        self._floor = settings.floor * _SPAN
        self._lock = new_lock()
        self.deposits = OutcomeWindow(_SPAN, now)

    def retune(self, settings: BudgetSettings) -> None:
        """Take another share; calls and retries that were counted stay."""
        with self._lock:
            self.settings = settings
            self._ratio, self._floor = settings.ratio, settings.floor * _SPAN

    def withdraw(self, now: float) -> bool:
        """Take one retry; False when the share is used up."""
        with self._lock:
            calls, retries, _ = self.deposits.counts(now)
            if retries + 1 > max(self._ratio * calls, self._floor):
                return False
            self.deposits.add_rare(now)
            return True

    def left(self, now: float) -> float:
        """Return how many retries are left at this moment."""
        with self._lock:
            calls, retries, _ = self.deposits.counts(now)
        return max(self._ratio * calls, self._floor) - retries
