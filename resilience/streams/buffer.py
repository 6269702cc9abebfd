"""Provides a bounded queue of the events for one consumer, with a rule for overflow. It contains no I/O."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Literal

from .session.stream_failure import kind_of, merge

__all__ = ["Buffer", "Counts", "OnLoss", "Overflow"]

Overflow = Literal["block", "drop_oldest", "latest"]
OnLoss = Callable[[Hashable], Any]
"""Called with a subscription of which a full queue has discarded a change."""
_MAX_ALIKE = 10  # exception events of one kind that wait one by one; later ones are counted
_MIN_EVENTS = 100  # events other than updates that may always wait, however short the queue of updates is


@dataclass(slots=True)
class Counts:
    """Counts of the events of one consumer: of its updates, except for the last two.

    Attributes:
        taken: delivered to the consumer.
        dropped: discarded unread, oldest first.
        replaced: replaced unread by a later update of the same subscription.
        blocked: how often the reader had to wait for room in the queue.
        most: the largest number of updates that were queued at once.
        repeated: exception events that were added to a waiting one of their kind.
        lost: events other than updates that were discarded unread, oldest first.
    """

    taken: int = 0
    dropped: int = 0
    replaced: int = 0
    blocked: int = 0
    most: int = 0
    repeated: int = 0
    lost: int = 0


class _Cell:
    """One queued event. Its value may be replaced in place; a cell that is not alive is skipped."""

    __slots__ = ("alive", "change", "event", "key", "value")

    def __init__(self, event: str, value: Any, key: Hashable, change: bool) -> None:
        self.event, self.value, self.key, self.change = event, value, key, change
        self.alive = True


class Buffer:
    """The events queued for one consumer, in order. Belongs to one event loop.

    The size limits the updates, and the other events apart from them. An exception event is added to the last of
    several waiting ones of its kind, which counts it. An update that is a change is worthless without those before it:
    where one of them is discarded, so are all changes until the next full state.
    """

    def __init__(self, size: int, overflow: Overflow, on_loss: OnLoss | None = None) -> None:
        self._size, self._overflow, self._on_loss = size, overflow, on_loss
        self._queued: Counter[Hashable] = Counter()  # updates by subscription
        self._changes: Counter[Hashable] = Counter()  # those that are changes
        self._torn: dict[
            Hashable, bool
        ] = {}  # subscriptions whose next changes are worthless: whether that was reported
        self._cells: deque[_Cell] = deque()
        self._updates: deque[_Cell] = deque()
        self._latest: dict[Hashable, _Cell] = {}
        self._others: deque[_Cell] = deque()
        self._discarded = 0  # cells of `_cells` that are dead
        self._alike: dict[Hashable, list[_Cell]] = {}
        self.counts = Counts()

    def __len__(self) -> int:
        return len(self._updates)

    @property
    def full(self) -> bool:
        """True if the reader has to wait before the next update; always False unless the overflow rule is `block`."""
        return self._overflow == "block" and len(self._updates) >= self._size

    def put(self, event: str, value: Any, key: Hashable = None, change: bool = False) -> None:
        """Queue an event; a reader that must wait checks `full` first."""
        cell = _Cell(event, value, key, change)
        if self._queue_update(cell) if event == "update" else self._queue_other(cell):
            self._cells.append(cell)

    def take_over(self, other: Buffer) -> None:
        """Queue the updates of another buffer."""
        for cell in other._updates:
            self.put("update", cell.value, cell.key, cell.change)
        self._torn |= dict.fromkeys(other._torn, False)

    def _queue_update(self, cell: _Cell) -> bool:
        """Make room for an update; return False if it is not queued."""
        key = cell.key
        if not cell.change:
            self._torn.pop(key, None)
        elif key in self._torn:
            self.counts.dropped += 1
            self._report_loss(key)
            return False
        if self._overflow == "latest" and not cell.change and self._replace(cell):
            return False
        if self._overflow != "block" and len(self._updates) >= self._size:
            self._drop_oldest()
            if cell.change and key in self._torn:
                self.counts.dropped += 1
                return False
        self._latest[key] = cell
        self._updates.append(cell)
        self._count(cell, 1)
        if len(self._updates) > self.counts.most:
            self.counts.most = len(self._updates)
        return True

    def _replace(self, cell: _Cell) -> bool:
        """Let a full state replace what is queued of its subscription; return False if it needs a place of its own."""
        self.counts.replaced += self._purge(cell.key, all_=True)
        queued = self._latest.get(cell.key)
        if queued is None or not queued.alive:
            return False
        queued.value = cell.value
        self.counts.replaced += 1
        return True

    def _drop_oldest(self) -> None:
        cell = self._updates.popleft()
        self._count(cell, -1)
        self._discard(cell)
        lost = self._purge(cell.key)
        self.counts.dropped += 1 + lost
        if not self._queued[cell.key]:
            self._torn.setdefault(cell.key, False)
            if cell.change or lost:
                self._report_loss(cell.key)

    def _purge(self, key: Hashable, *, all_: bool = False) -> int:
        """Discard the changes of a subscription up to its next full state, or all its updates; return how many."""
        if not self._changes[key]:
            return 0
        found = 0
        for cell in [cell for cell in self._updates if cell.key == key]:
            if not (cell.change or all_):
                break
            self._count(cell, -1)
            self._discard(cell)
            found += 1
        self._updates = deque(cell for cell in self._updates if cell.alive)
        return found

    def _count(self, cell: _Cell, number: int) -> None:
        self._queued[cell.key] += number
        if cell.change:
            self._changes[cell.key] += number

    def _report_loss(self, key: Hashable) -> None:
        """Report once that changes of a subscription were discarded; a full state ends that."""
        if self._on_loss is not None and not self._torn[key]:
            self._on_loss(key)
        self._torn[key] = True

    def _discard(self, cell: _Cell) -> None:
        """Mark a cell as discarded; `get` skips it."""
        cell.alive, cell.value = False, None
        self._discarded += 1
        # Removing one cell would be O(n), so the queue is rebuilt once most of it is dead: behind a handler that never
        # returns it would grow without end.
        if self._discarded > max(_MIN_EVENTS, len(self._cells) // 2):
            self._cells = deque(item for item in self._cells if item.alive)
            self._discarded = 0

    def _queue_other(self, cell: _Cell) -> bool:
        """Make room for an event that is no update; return False if a waiting one of its kind counts it."""
        cell.key = kind_of(cell.value)
        if cell.key is not None:
            alike = self._alike.setdefault(cell.key, [])
            if len(alike) >= min(self._size, _MAX_ALIKE):
                alike[-1].value = merge(alike[-1].value, cell.value)
                self.counts.repeated += 1
                return False
            alike.append(cell)
        if len(self._others) >= max(self._size, _MIN_EVENTS):
            self._discard(self._forget_oldest())
            self.counts.lost += 1
        self._others.append(cell)
        return True

    def _forget_oldest(self) -> _Cell:
        """Return the oldest event that is no update, which is taken or discarded now."""
        cell = self._others.popleft()
        if cell.key is not None:
            del self._alike[cell.key][0]
            if not self._alike[cell.key]:
                del self._alike[cell.key]
        return cell

    def get(self) -> tuple[str, Any] | None:
        """Return the next event as (name, value), or None if the queue is empty."""
        while self._cells:
            cell = self._cells.popleft()
            if not cell.alive:
                self._discarded -= 1
                continue
            cell.alive = False
            if cell.event == "update":
                self._count(self._updates.popleft(), -1)
                self.counts.taken += 1
                # A later update of the same subscription may have its own cell by now.
                if self._latest.get(cell.key) is cell:
                    del self._latest[cell.key]
            else:
                self._forget_oldest()
            return cell.event, cell.value
        return None
