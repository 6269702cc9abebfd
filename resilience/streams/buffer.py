"""Provides a bounded queue of the events for one consumer, with a rule for overflow. It contains no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Buffer", "Counts", "Overflow"]

Overflow = Literal["block", "drop_oldest", "latest"]


@dataclass(slots=True)
class Counts:
    """Counts of the updates of one consumer.

    Attributes:
        taken: delivered to the consumer.
        dropped: discarded unread, oldest first.
        replaced: replaced unread by a later update of the same subscription.
        blocked: how often the reader had to wait for room in the queue.
        most: the largest number of updates that were queued at once.
    """

    taken: int = 0
    dropped: int = 0
    replaced: int = 0
    blocked: int = 0
    most: int = 0


class _Cell:
    """One queued event. Its value may be replaced in place; a cell that is not alive is skipped."""

    __slots__ = ("alive", "event", "key", "value")

    def __init__(self, event: str, value: Any, key: Hashable) -> None:
        self.event, self.value, self.key = event, value, key
        self.alive = True


class Buffer:
    """The events queued for one consumer, in order. Belongs to one event loop.

    Only updates count towards the size and only updates are discarded. An event that reports a problem is always
    delivered.
    """

    def __init__(self, size: int, overflow: Overflow) -> None:
        self._size, self._overflow = size, overflow
        self._cells: deque[_Cell] = deque()
        self._updates: deque[_Cell] = deque()
        self._latest: dict[Hashable, _Cell] = {}
        self.counts = Counts()

    def __len__(self) -> int:
        return len(self._updates)

    @property
    def full(self) -> bool:
        """True if the reader has to wait before the next update; always False unless the overflow rule is `block`."""
        return self._overflow == "block" and len(self._updates) >= self._size

    def put(self, event: str, value: Any, key: Hashable = None) -> None:
        """Queue an event; a reader that must wait checks `full` first."""
        cell = _Cell(event, value, key)
        if event == "update":
            if self._overflow == "latest" and (queued := self._latest.get(key)) is not None and queued.alive:
                queued.value = value
                self.counts.replaced += 1
                return
            if self._overflow != "block" and len(self._updates) >= self._size:
                # The dead cell stays in `_cells`, where removing it would be O(n); `get` skips it.
                self._updates.popleft().alive = False
                self.counts.dropped += 1
            self._latest[key] = cell
            self._updates.append(cell)
            self.counts.most = max(self.counts.most, len(self._updates))
        self._cells.append(cell)

    def get(self) -> tuple[str, Any] | None:
        """Return the next event as (name, value), or None if the queue is empty."""
        while self._cells:
            cell = self._cells.popleft()
            if not cell.alive:
                continue
            cell.alive = False
            if cell.event == "update":
                self._updates.popleft()
                self.counts.taken += 1
                # A later update of the same subscription may have its own cell by now.
                if self._latest.get(cell.key) is cell:
                    del self._latest[cell.key]
            return cell.event, cell.value
        return None
