"""Writes the server-sent events of one viewer: each decision as it is made, and a snapshot once per interval."""

from __future__ import annotations

import json
from time import monotonic

from .served_policies import SharedSnapshot, event_text
from .viewers import Viewer

__all__ = ["INTERVAL", "EventStream", "sent_event"]

INTERVAL = 1.0  # seconds between two snapshots


class EventStream:
    """The stream of one viewer. Used by one thread or task."""

    def __init__(self, viewer: Viewer, snapshot: SharedSnapshot) -> None:
        self._viewer, self._snapshot = viewer, snapshot
        self._due = monotonic()

    @property
    def closed(self) -> bool:
        """Whether the server has ended it."""
        return self._viewer.closed

    def next_texts(self, *, wait: bool) -> list[str]:
        """Return the texts to send now: at most one decision, or the snapshot when it is due; may be empty.

        Args:
            wait: whether to block until there is a decision or the snapshot is due.
        """
        now, texts = monotonic(), []
        left = self._due - now
        event = self._viewer.next_event(left if wait else 0.0) if left > 0 else None
        if dropped := self._viewer.take_dropped():
            texts.append(sent_event("dropped", json.dumps({"count": dropped})))
        if event is not None:
            texts.append(sent_event("decision", event_text(event)))
        elif left <= 0:
            texts.append(sent_event("snapshot", self._snapshot.text()))
            self._due = now + INTERVAL
        return texts


def sent_event(kind: str, data: str) -> str:
    """Return one server-sent event; its data is one line."""
    return f"event: {kind}\ndata: {data}\n\n"
