"""Shows a shared window to cancels: no store refuses them, and what they send is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .rate_window import QueueTicket, RateWindow

if TYPE_CHECKING:
    from .leased_window import LeasedWindow

__all__ = ["CancelWindow"]


class CancelWindow(RateWindow):
    """What a cancel pays in place of a `LeasedWindow`. It waits for the limit of its own process, and for holds."""

    __slots__ = ("_window",)

    def __init__(self, window: LeasedWindow) -> None:
        """Show a window."""
        self._window = window

    def ready_at(self, now: float, weight: int = 1, _queue_ticket: QueueTicket | None = None) -> float:
        """Return when the process alone would allow a cancel."""
        return max(self._window.ready_alone(now, weight), self._window.held_until)

    def take(self, now: float, weight: int = 1, _queue_ticket: QueueTicket | None = None) -> float:
        """Count a cancel if the process alone would allow it; see `RateWindow.take`."""
        ready_at = self.ready_at(now, weight)
        if ready_at <= now:
            self._window.overdraw(now, weight)
        return ready_at

    def join_queue(self, now: float, queue_ticket: QueueTicket) -> None:
        """Wait beside the queue: cancels go before everything else."""
        queue_ticket.ready_at = self.ready_at(now, queue_ticket.weight)

    def cancel(self, queue_ticket: QueueTicket) -> None:
        """Wait no more."""
        queue_ticket.gone = True

    def undo(self, when: float, weight: int) -> None:
        """Take back a cancel that was not sent."""
        self._window.undo(when, weight)
