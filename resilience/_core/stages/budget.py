"""Implements the retry budget: retries may be a share of the calls, with a floor for little traffic.

Over the last ten seconds, `max(ratio x calls, floor x 10 s)` retries are allowed. A share stops a retry storm where a
limit per call cannot: when everything fails, the load stays at (1 + ratio) times the calls. The model is `RetryBudget`
of Twitter's Finagle (20 % over ten seconds plus a minimum per second), which adds the two; here the larger one counts.
"""

from __future__ import annotations

from ..base.fork_safety import new_lock
from ..policy.sections import BudgetSettings
from .outcome_window import OutcomeWindow

__all__ = ["Budget"]

_SPAN = 10.0  # seconds


class Budget:
    """The retries that all calls of one policy share. Safe across threads and tasks.

    Attributes:
        settings: the share and the floor.
        deposits: the window of calls (as successes) and retries (as failures). A driver counts each call, inline.
    """

    __slots__ = ("_floor", "_lock", "_ratio", "deposits", "settings")

    def __init__(self, settings: BudgetSettings, now: float) -> None:
        self.settings = settings
        self._ratio = settings.ratio
        self._floor = settings.floor * _SPAN
        self._lock = new_lock()
        self.deposits = OutcomeWindow(_SPAN, now)

    def retune(self, settings: BudgetSettings) -> None:
        """Allow another share from now on; calls and retries that were counted stay."""
        with self._lock:
            self.settings = settings
            self._ratio, self._floor = settings.ratio, settings.floor * _SPAN

    def withdraw(self, now: float) -> bool:
        """Take one retry; False when the share is used up."""
        with self._lock:
            calls, retries, _ = self.deposits.counts(now)
            if retries + 1 > max(self._ratio * calls, self._floor):
                return False
            self.deposits.add_failure(now)
            return True

    def left(self, now: float) -> float:
        """Return how many retries are left at this moment."""
        with self._lock:
            calls, retries, _ = self.deposits.counts(now)
        return max(self._ratio * calls, self._floor) - retries
