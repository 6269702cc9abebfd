"""Makes shared windows whose store is the test itself."""

from __future__ import annotations

from functools import partial

from resilience._core.stages.lease import Lease
from resilience._core.stages.lease_terms import lease_terms
from resilience._core.stages.leased_window import LeasedWindow

PATIENCE = 0.05


class Bench:
    """A shared window of `limit` sends per second for some processes, and the questions that it has asked.

    Attributes:
        slept: seconds that the wall clock is ahead of the monotonic one.
    """

    def __init__(self, limit: int = 100, processes: int = 8) -> None:
        self.asked: list[LeasedWindow] = []
        terms_of = partial(lease_terms, processes=processes, lease=0.1, patience=PATIENCE)
        self.slept = 0.0
        self.window = LeasedWindow(limit, 1.0, terms_of, self.asked.append, lambda: self.slept)

    def grant(self, now: float, permits: int, wait: float = 0.0, life: float = 0.1, receipt: int = 1) -> None:
        """Answer a question: permits that may be spent after a wait."""
        lease = Lease(now + wait, now + wait + life, permits, receipt, wall_until=now + self.slept + wait + life)
        self.window.grant(lease, now, 0.001)

    def lease(self, now: float, permits: int) -> None:
        """Have permits in hand: one is asked for, granted, spent, and taken back."""
        self.window.ready_at(now)
        self.grant(now, permits)
        assert self.window.take(now) == now
        self.window.undo(now, 1)
