"""What waits for a consumer: a bounded queue with a rule for when it is full. Sans-IO."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Buffer", "Counts", "Overflow"]

Overflow = Literal["block", "drop_oldest", "latest"]


@dataclass(slots=True)
class Counts:
    """What became of the updates of one consumer.

    Attributes:
        taken: handed over.
        dropped: thrown away unread, the oldest first.
        replaced: overtaken unread by a later one of the same subscription.
        blocked: how often reading had to wait for room.
        most: the most that ever waited.
    """

    taken: int = 0
    dropped: int = 0
    replaced: int = 0
    blocked: int = 0
    most: int = 0


class _Cell:
    """One waiting event; its value is replaced in place, and it is skipped once it is dead."""

    __slots__ = ("alive", "event", "key", "value")

    def __init__(self, event: str, value: Any, key: Hashable) -> None:
        self.event, self.value, self.key = event, value, key
        self.alive = True


class Buffer:
    """The events that wait for one consumer, in order. Belongs to one event loop.

    Only updates count and only updates are thrown away: what tells of a problem always arrives.
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
        """Tell whether the reader has to wait: for consumers that want every update."""
        return self._overflow == "block" and len(self._updates) >= self._size

    def put(self, event: str, value: Any, key: Hashable = None) -> None:
        """Take an event in; a reader that must wait asks `full` before."""
        cell = _Cell(event, value, key)
        if event == "update":
            if self._overflow == "latest" and (waiting := self._latest.get(key)) is not None and waiting.alive:
                waiting.value = value
                self.counts.replaced += 1
                return
            if self._overflow != "block" and len(self._updates) >= self._size:
                self._updates.popleft().alive = False
                self.counts.dropped += 1
            self._latest[key] = cell
            self._updates.append(cell)
            self.counts.most = max(self.counts.most, len(self._updates))
        self._cells.append(cell)

    def get(self) -> tuple[str, Any] | None:
        """Return the next event, or None when nothing waits."""
        while self._cells:
            cell = self._cells.popleft()
            if not cell.alive:
                continue
            cell.alive = False
            if cell.event == "update":
                self._updates.popleft()
                self.counts.taken += 1
                if self._latest.get(cell.key) is cell:
                    del self._latest[cell.key]
            return cell.event, cell.value
        return None
