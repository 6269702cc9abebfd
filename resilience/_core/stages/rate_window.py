"""How many sends a span of time holds, exactly: never more than `most` in any `span` seconds.

The law of this file: `sends` holds the instants of the last `most` sends that really left, and one
may leave at the instant when the oldest of them is a span ago. Who cannot leave stands in `line`,
which plans when it is woken and holds nothing; it is checked again when its turn comes. So a
waiter that is late, or gone, costs nobody more than its turn, and what is planned never counts as sent.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from math import inf

from ..base.fork_safety import new_lock, register_for_fork

__all__ = ["QueueTicket", "RateWindow"]

_LOCKED = not getattr(sys, "_is_gil_enabled", lambda: True)()
_LOST_AFTER = 60.0  # seconds after which a turn that nobody took is forgotten


class QueueTicket:
    """A place in the line: the instant from which its owner may ask again, and what it costs."""

    __slots__ = ("at", "rate_window", "weight")

    def __init__(self, rate_window: RateWindow, at: float, weight: int) -> None:
        self.rate_window = rate_window
        self.at = at
        self.weight = weight

    def cancel(self) -> None:
        """Give the place up."""
        self.rate_window.cancel(self)


class RateWindow:
    """The sends of one window. Safe across threads and tasks. Times are monotonic seconds.

    A driver does inline what `take` does in the common case, without the lock: where `fast_path` is true and
    `sends[0] + span` has passed it appends the present instant. Between these reads and the `append`
    no other thread can run under the GIL, because the interpreter switches after calls and backward
    jumps alone. Without a GIL `fast_path` is never true.
    """

    __slots__ = ("__weakref__", "_held_until", "_line", "_lock", "fast_path", "most", "sends", "span")

    def __init__(self, most: int, span: float) -> None:
        self.most = most
        self.span = span
        self.sends: deque[float] = deque([-inf] * most, maxlen=most)
        self.fast_path = not _LOCKED
        self._line: list[QueueTicket] = []
        self._held_until = -inf
        self._lock = new_lock()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Let nobody stand in line in a child: who waited has stayed in the parent."""
        self._line = []

    def ready_at(self, now: float, weight: int = 1, queue_ticket: QueueTicket | None = None) -> float:
        """Return the instant from which a newcomer, or the owner of a turn, may leave: `now`, later, or inf."""
        with self._lock:
            return self._instant(now, weight, queue_ticket)

    def take(self, now: float, weight: int = 1, queue_ticket: QueueTicket | None = None) -> float:
        """Leave if it is possible now; returns `now`, or the instant from which to ask again, and nothing is taken."""
        with self._lock:
            self.fast_path = False
            at = self._instant(now, weight, queue_ticket)
            if at > now:
                if queue_ticket is not None:
                    queue_ticket.at = at  # it keeps its place
            else:
                self.sends.extend([now] * weight)
                self._drop(queue_ticket)
            self._ease(now)
            return at

    def queue(self, now: float, weight: int) -> QueueTicket:
        """Stand in line; the turn says when to ask again."""
        with self._lock:
            self.fast_path = False
            while self._line and self._line[0].at + _LOST_AFTER < now:
                del self._line[0]
            queue_ticket = QueueTicket(self, self._newcomer(now, weight), weight)
            self._line.append(queue_ticket)
            return queue_ticket

    def cancel(self, queue_ticket: QueueTicket) -> None:
        """Give a place in the line up; those behind it keep their instants, newcomers come earlier."""
        with self._lock:
            self._drop(queue_ticket)

    def undo(self, at: float, weight: int) -> None:
        """Take back what `take` took at this instant: nothing was sent.

        An older send that it had pushed out was a span ago by then, and limits nothing any more.
        """
        with self._lock:
            self.fast_path = False
            for _ in range(weight):
                if self.sends[-1] == at:
                    self.sends.pop()
                elif at in self.sends:
                    self.sends.remove(at)
                else:
                    break
                self.sends.appendleft(-inf)
            self._ease(at)

    def hold(self, now: float, until: float) -> None:
        """Let nobody leave before an instant; who stands in line keeps the order."""
        with self._lock:
            if until <= max(now, self._held_until):
                return
            self.fast_path = False
            self._held_until = until
            line, self._line = self._line, []
            for queue_ticket in line:
                queue_ticket.at = max(queue_ticket.at, self._newcomer(queue_ticket.at, queue_ticket.weight))
                self._line.append(queue_ticket)

    def drain(self, now: float, left: int) -> None:
        """Learn that only so many sends are left now, others having used the rest; it never makes room."""
        with self._lock:
            self.fast_path = False
            for _ in range(self._left(now) - max(0, left)):
                self.sends.append(now)
            self._ease(now)

    def left(self, now: float) -> int:
        """Return how many sends could leave at once."""
        with self._lock:
            return 0 if self._held_until > now else self._left(now)

    @property
    def held_until(self) -> float:
        """The instant before which nobody leaves; -inf when there never was one."""
        return self._held_until

    def retune(self, most: int, span: float, more: Iterable[float] = ()) -> list[float]:
        """Hold other sends in another span from now on; returns the sends that have no place any more, if any."""
        with self._lock:
            self.fast_path = False  # before the sends are read: from here on nobody leaves but by `take`
            known = sorted(at for at in (*self.sends, *more) if at > -inf)
            self.sends = deque([-inf] * most, maxlen=most)
            self.sends.extend(known)
            self.most, self.span = most, span
        return known[:-most]

    def follow(self, sends: Iterable[float], held_until: float) -> None:
        """Go on where windows of other settings ended: their sends count, and so does their hold."""
        self.sends.extend(sorted(sends))
        self._held_until = held_until
        self.fast_path = False  # the next one to ask finds out

    # --- under the lock -----------------------------------------------------------------------

    def _room(self, now: float, weight: int) -> float:
        """Return the instant from which the sends alone leave room; each of the oldest that it pushes out counts.

        They are read by their places: a driver may append meanwhile, and who iterates would break off.
        """
        if weight > self.most:
            return inf
        if weight < 2:
            return max(now, self.sends[0] + self.span) if weight else now
        return max(now, max([self.sends[place] for place in range(weight)]) + self.span)

    def _instant(self, now: float, weight: int, queue_ticket: QueueTicket | None) -> float:
        if queue_ticket is None:
            return self._newcomer(now, weight)
        return max(self._room(now, weight), self._held_until, queue_ticket.at)

    def _newcomer(self, now: float, weight: int) -> float:
        """Return the instant of a newcomer, after everybody in line."""
        at = max(self._room(now, weight), self._held_until)
        if not self._line or at == inf:
            return at
        at = max(at, self._line[-1].at)  # room that was given back is not for those who come last
        back = self.most - weight + 1
        for queue_ticket in reversed(self._line):
            back -= queue_ticket.weight
            if back <= 0:
                return max(at, queue_ticket.at + self.span)
        return max(at, self.sends[-back] + self.span)

    def _left(self, now: float) -> int:
        return sum(at + self.span <= now for at in tuple(self.sends))

    def _drop(self, queue_ticket: QueueTicket | None) -> None:
        if queue_ticket is not None and queue_ticket in self._line:
            self._line.remove(queue_ticket)

    def _ease(self, now: float) -> None:
        self.fast_path = not (_LOCKED or self._line or self._held_until > now)
