"""Emits `shared_lost` and `shared_back`, once for each outage of the store."""

from __future__ import annotations

from .._core.base.events import Events
from .store import Store

__all__ = ["OutageEvents"]


class OutageEvents:
    """Reports outages to the listeners of one set of policies.

    Attributes:
        reason: why the store is lost; None while it is not, or not known to be.
    """

    def __init__(self, events: Events, place: str) -> None:
        """Report to these events; `place` is the store's URL without credentials."""
        self._events = events
        self._place = place
        self.reason: str | None = None
        self._due: float | None = None

    def reset_after_fork(self) -> None:
        """Report an outage that the child finds itself."""
        self.reason = self._due = None

    def next_due(self) -> float | None:
        """Return an instant that has come if the store answers again; else None."""
        return self._due

    def work(self, _store: Store) -> None:
        """Report the end of an outage. The other parts come first: what they asked was answered."""
        self._due = None
        if self.reason is not None:
            self.reason = None
            self._events.emit("shared_back", source=self._place)

    def store_lost(self, reason: str) -> None:
        """Report that each process goes on alone; not again where the store only lets us connect meanwhile."""
        is_news, self.reason, self._due = self.reason is None, reason, None
        if is_news:
            self._events.emit("shared_lost", source=self._place, reason=reason)

    def store_back(self) -> None:
        """Wait until the other parts have been answered too; the first connection is no news."""
        self._due = 0.0

    def describe(self) -> str | None:
        """Return why the store is lost."""
        return self.reason
