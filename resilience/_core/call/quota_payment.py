"""Pays the quotas for one attempt, at once or after a turn in a window's queue; what is not sent is repaid."""

from __future__ import annotations

from ..stages.quota import Cost, pay, undo
from ..stages.rate_window import QueueTicket, RateWindow
from .gate_plan import GatePlan

__all__ = ["Payment"]


class Payment:
    """What one attempt pays. Used by one thread or task.

    Attributes:
        is_cut_off: the last attempt to pay has failed because the shared store does not answer.
        ticket: its turn in the queue of a quota; None where it has none.
    """

    __slots__ = ("_costs", "_half_time", "_high_priority", "_paid_at", "_plan", "_waits_for", "_weights",
                 "is_cut_off", "ticket")  # fmt: skip

    def __init__(self, plan: GatePlan, weights: tuple[int, ...], *, high_priority: bool) -> None:
        self._plan = plan
        self._weights = weights
        self._high_priority = high_priority
        self._costs: list[Cost] = []
        self._paid_at = 0.0
        self._half_time: float | None = None
        self._waits_for: RateWindow | None = None
        self.is_cut_off = False
        self.ticket: QueueTicket | None = None

    def pay(self, now: float, deadline: float) -> float | None:
        """Pay now and return None, or return from when to try again; a turn is kept only before the deadline."""
        quotas = self._plan.quotas
        if quotas is None:
            return None
        costs = quotas.costs(
            now, self._weights, self.ticket, high_priority=self._high_priority, is_cancel=self._plan.is_cancel
        )
        ready_at, window = pay(now, costs, self.ticket)
        if window is not None and self._plan.is_cancel and not self._comes_in_time(ready_at, now, deadline):
            costs = [(window.on_credit, weight) for window, weight in costs]
            ready_at, window = pay(now, costs, self.ticket)
        if window is None:
            self._costs, self._paid_at, self.ticket = costs, now, None
            return None
        self.is_cut_off = window.is_cut_off(now)
        return (
            self._queue_for(window, ready_at, costs, now) if self._plan.fits_deadline(ready_at, deadline) else ready_at
        )

    def count_wait(self, seconds: float, now: float) -> None:
        """Measure a wait for the quota whose window allowed no attempt; it ends at this monotonic instant."""
        quotas = self._plan.quotas
        assert quotas is not None, "without a quota nothing waits for it"
        assert self._waits_for is not None
        quotas.quota_of_window(self._waits_for).waits.add(seconds, now)

    def undo(self) -> None:
        """Take back what was paid."""
        costs, self._costs = self._costs, []
        undo(self._paid_at, costs)

    def leave_queue(self) -> None:
        """Give up the turn."""
        if self.ticket is not None:
            self.ticket.cancel()
            self.ticket = None

    def _comes_in_time(self, ready_at: float, now: float, deadline: float) -> bool:
        """Return whether a cancel waits for this instant: for half of its time at most, so that the rest is left."""
        if self._half_time is None:
            self._half_time = now + (deadline - now) / 2
        return ready_at <= self._half_time and self._plan.fits_deadline(ready_at, deadline)

    def _queue_for(self, window: RateWindow, ready_at: float, costs: list[Cost], now: float) -> float:
        """Keep the turn in the queue of this window, or join it; return from when to try again."""
        self._waits_for = window
        if self.ticket is not None and self.ticket.rate_window is window:
            self.ticket.ready_at = ready_at
            return ready_at
        if self.ticket is not None:
            self.ticket.cancel()
        self.ticket = QueueTicket(window, now, next(weight for paid, weight in costs if paid is window))
        window.join_queue(now, self.ticket)
        return max(ready_at, self.ticket.ready_at)
