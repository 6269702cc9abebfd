"""Follows the entries of a name: what one process adds or drops is done in all, at once and after an outage."""

from __future__ import annotations

import time
from threading import Event
from typing import Any

from .part_inputs import PartInputs
from .push_listener import listener_to
from .shared_entries import Entry, SharedEntries
from .store import Store

__all__ = ["EntriesPart"]

CHECK_EVERY = 1.0  # seconds after which it is checked that the store still has the entries


class EntriesPart:
    """A part that forbids calls: the base class of holds and the switch. Methods as in `SharedPart`.

    Attributes:
        is_ready: set once the entries of the others are known, or the store is lost.
    """

    def __init__(self, inputs: PartInputs, name: str) -> None:
        """Follow the entries of a name."""
        self._clock, self._events = inputs.shared.clock, inputs.shared.events
        self._link = inputs.link
        key = f"{inputs.keys.tag(name)}entries"
        self._channel = f"{key}:changed"
        self._entries = SharedEntries(key, self._channel)
        self._listener = listener_to(inputs.settings.url, inputs.settings.patience)
        self._due: float | None = 0.0
        self.is_ready = Event()

    def changed(self, _message: str) -> None:
        """Ask the store what has changed. Called by the listener. Never waits."""
        if (link := self._link()) is not None:
            link.wake(self)

    def next_due(self) -> float | None:
        """Return when it is checked that the store remembers; there is nothing to check without entries."""
        return self._due

    def work(self, store: Store) -> None:
        """Send what has changed here, and follow the others."""
        self._listener.subscribe(self._channel, self)
        changes = self._entries.ask(store, self._clock.monotonic)
        # What somebody has changed here meanwhile is newer than this answer. The next question sends it.
        for field, entry in changes.entries.items():
            if not self._entries.is_changing(field):
                self._follow(field, entry)
        for field in changes.dropped:
            if not self._entries.is_changing(field):
                self.end(field)
        self._entries.put_back(changes.forgotten)
        now = time.monotonic()
        self._due = now if changes.forgotten else now + CHECK_EVERY if changes.entries else None
        self.is_ready.set()

    def store_lost(self, _reason: str) -> None:
        """Keep what is known."""
        self.is_ready.set()

    def store_back(self) -> None:
        """Ask at once."""
        self._due = 0.0

    def reset_after_fork(self) -> None:
        """Ask from a forked child, and listen there."""
        self._due = 0.0
        self.changed("")

    def describe(self) -> Any:
        """Return the entries as plain data."""
        now = self._clock.monotonic()
        described = []
        for entry in self._entries.lasting(now):
            left = None if entry.until is None else entry.until - now
            described.append({**entry.value, "seconds_left": left})
        return described

    def _follow(self, field: str, entry: Entry) -> None:
        try:
            self.follow(field, entry)
        except (KeyError, TypeError, AssertionError):
            pass  # an entry of another version: it must not keep the others from being obeyed

    def follow(self, field: str, entry: Entry, /) -> None:
        """Do what an entry says; called again and again while it lasts."""
        raise NotImplementedError

    def end(self, field: str) -> None:
        """Undo what an entry said, which somebody has dropped."""
        raise NotImplementedError
