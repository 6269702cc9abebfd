"""Keeps the time of one call after its first failure, which is never behind the waits of the call.

A test clock ends a sleep at once and does not move. Such a wait counts as waited all the same: the call's own time runs
ahead of the clock by what is missing.
"""

from __future__ import annotations

from ..base.clock import Clock
from .sleep_watch import SleepWatch

__all__ = ["CallTime"]


class CallTime(SleepWatch):
    """The time of one call. Used by one thread or task.

    Attributes:
        ahead: seconds by which it is ahead of the clock.
        waited: seconds waited so far.
    """

    __slots__ = ("_until", "ahead", "waited")

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._until = 0.0
        self.ahead = 0.0
        self.waited = 0.0

    def now(self) -> float:
        """Return this call's monotonic time, waits that a test clock cut short counted in full."""
        return self._clock.monotonic() + self.ahead

    def begin_wait(self, seconds: float) -> None:
        """Count a wait that begins now."""
        self.waited += seconds
        self._until = self.now() + seconds

    def end_wait(self) -> None:
        """Count the wait as waited, whatever the clock says."""
        self.ahead += max(0.0, self._until - self.now())

    def cut_wait(self) -> None:
        """Count only what was waited of a wait that a report has ended."""
        now = self.now()
        self.waited -= max(0.0, self._until - now)
        self._until = now

    def add_gate(self, ahead: float, waited: float) -> None:
        """Count what an attempt has waited at its gate."""
        self.ahead = ahead
        self.waited += waited
