"""Shows a shared window to cancels: no store refuses them, and what they send is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .rate_window import QueueTicket, RateWindow

if TYPE_CHECKING:
    from .leased_window import LeasedWindow

__all__ = ["CancelWindow"]


class CancelWindow(RateWindow):
    """What a cancel pays in place of a `LeasedWindow`: a permit, or any of the standing part, whichever comes first.

    Where neither comes before half of its time is over it pays `on_credit`: it waits for the limit of its own process
    alone, and the store gets it afterwards.
    """

    __slots__ = ("_credit", "_window")

    def __init__(self, window: LeasedWindow, *, is_on_credit: bool = False) -> None:
        """Show a window."""
        self._window = window
        self._credit = self if is_on_credit else CancelWindow(window, is_on_credit=True)

    @property
    def on_credit(self) -> CancelWindow:
        """The window for a cancel that cannot wait."""
        return self._credit

    @property
    def held_until(self) -> float:
        """The instant before which nothing is sent."""
        return self._window.held_until

    def is_cut_off(self, now: float) -> bool:
        """Return whether the store does not answer, and there is no standing part."""
        return self._window.is_cut_off(now)

    def ready_at(self, now: float, weight: int = 1, queue_ticket: QueueTicket | None = None) -> float:
        """Return when a cancel may be sent."""
        alone = max(self._window.ready_alone(now, weight), self._window.held_until)
        if self._window.held_until <= now and self._window.has_permits(now, weight):
            return now  # what is in hand counts as sent already
        if self._credit is self or alone > now:
            return alone
        return self._window.cancel_ready_at(now, weight, now if queue_ticket is None else queue_ticket.since)

    def take(self, now: float, weight: int = 1, queue_ticket: QueueTicket | None = None) -> float:
        """Count a cancel if it may be sent; see `RateWindow.take`."""
        ready_at = self.ready_at(now, weight, queue_ticket)
        if ready_at <= now:
            self._window.spend_for_cancel(now, weight)
        return ready_at

    def join_queue(self, now: float, queue_ticket: QueueTicket) -> None:
        """Wait beside the queue."""
        queue_ticket.ready_at = self.ready_at(now, queue_ticket.weight, queue_ticket)

    def cancel(self, queue_ticket: QueueTicket) -> None:
        """Wait no more."""
        queue_ticket.gone = True

    def undo(self, when: float, weight: int) -> None:
        """Take back a cancel that was not sent."""
        self._window.undo(when, weight)
