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

    def reset_after_fork(self) -> None:
        """Report an outage that the child finds itself."""
        self.reason = None

    def next_due(self) -> float | None:
        """Return None: it asks nothing."""
        return None

    def work(self, store: Store) -> None:
        """Do nothing."""

    def store_lost(self, reason: str) -> None:
        """Report that each process goes on alone."""
        self.reason = reason
        self._events.emit("shared_lost", source=self._place, reason=reason)

    def store_back(self) -> None:
        """Report the end of an outage; the first connection is no news."""
        if self.reason is not None:
            self.reason = None
            self._events.emit("shared_back", source=self._place)

    def describe(self) -> str | None:
        """Return why the store is lost."""
        return self.reason
