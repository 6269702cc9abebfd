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

from ..base.fork_safety import heeds_forks, new_lock

__all__ = ["Gauge", "Turn"]

_LOCKED = not getattr(sys, "_is_gil_enabled", lambda: True)()
_LOST_AFTER = 60.0  # seconds after which a turn that nobody took is forgotten


class Turn:
    """A place in the line: the instant from which its owner may ask again, and what it costs."""

    __slots__ = ("at", "gauge", "weight")

    def __init__(self, gauge: Gauge, at: float, weight: int) -> None:
        self.gauge = gauge
        self.at = at
        self.weight = weight

    def leave(self) -> None:
        """Give the place up."""
        self.gauge.leave(self)


class Gauge:
    """The sends of one window. Safe across threads and tasks. Times are monotonic seconds.

    A driver does inline what `take` does in the common case, without the lock: where `easy` is true and
    `sends[0] + span` has passed it appends the present instant. Between these reads and the `append`
    no other thread can run under the GIL, because the interpreter switches after calls and backward
    jumps alone. Without a GIL `easy` is never true.
    """

    __slots__ = ("__weakref__", "_held_until", "_line", "_lock", "easy", "most", "sends", "span")

    def __init__(self, most: int, span: float) -> None:
        self.most = most
        self.span = span
        self.sends: deque[float] = deque([-inf] * most, maxlen=most)
        self.easy = not _LOCKED
        self._line: list[Turn] = []
        self._held_until = -inf
        self._lock = new_lock()
        heeds_forks(self)

    def forked(self) -> None:
        """Let nobody stand in line in a child: who waited has stayed in the parent."""
        self._line = []

    def ready_at(self, now: float, weight: int = 1, turn: Turn | None = None) -> float:
        """Return the instant from which a newcomer, or the owner of a turn, may leave: `now`, later, or inf."""
        with self._lock:
            return self._instant(now, weight, turn)

    def take(self, now: float, weight: int = 1, turn: Turn | None = None) -> float:
        """Leave if it is possible now; returns `now`, or the instant from which to ask again, and nothing is taken."""
        with self._lock:
            self.easy = False
            at = self._instant(now, weight, turn)
            if at > now:
                if turn is not None:
                    turn.at = at  # it keeps its place
            else:
                self.sends.extend([now] * weight)
                self._drop(turn)
            self._ease(now)
            return at

    def queue(self, now: float, weight: int) -> Turn:
        """Stand in line; the turn says when to ask again."""
        with self._lock:
            self.easy = False
            while self._line and self._line[0].at + _LOST_AFTER < now:
                del self._line[0]
            turn = Turn(self, self._newcomer(now, weight), weight)
            self._line.append(turn)
            return turn

    def leave(self, turn: Turn) -> None:
        """Give a place in the line up; those behind it keep their instants, newcomers come earlier."""
        with self._lock:
            self._drop(turn)

    def undo(self, at: float, weight: int) -> None:
        """Take back what `take` took at this instant: nothing was sent.

        An older send that it had pushed out was a span ago by then, and limits nothing any more.
        """
        with self._lock:
            self.easy = False
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
            self.easy = False
            self._held_until = until
            line, self._line = self._line, []
            for turn in line:
                turn.at = max(turn.at, self._newcomer(turn.at, turn.weight))
                self._line.append(turn)

    def drain(self, now: float, left: int) -> None:
        """Learn that only so many sends are left now, others having used the rest; it never makes room."""
        with self._lock:
            self.easy = False
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
            self.easy = False  # before the sends are read: from here on nobody leaves but by `take`
            known = sorted(at for at in (*self.sends, *more) if at > -inf)
            self.sends = deque([-inf] * most, maxlen=most)
            self.sends.extend(known)
            self.most, self.span = most, span
        return known[:-most]

    def follow(self, sends: Iterable[float], held_until: float) -> None:
        """Go on where windows of other settings ended: their sends count, and so does their hold."""
        self.sends.extend(sorted(sends))
        self._held_until = held_until
        self.easy = False  # the next one to ask finds out

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

    def _instant(self, now: float, weight: int, turn: Turn | None) -> float:
        if turn is None:
            return self._newcomer(now, weight)
        return max(self._room(now, weight), self._held_until, turn.at)

    def _newcomer(self, now: float, weight: int) -> float:
        """Return the instant of a newcomer, after everybody in line."""
        at = max(self._room(now, weight), self._held_until)
        if not self._line or at == inf:
            return at
        at = max(at, self._line[-1].at)  # room that was given back is not for those who come last
        back = self.most - weight + 1
        for turn in reversed(self._line):
            back -= turn.weight
            if back <= 0:
                return max(at, turn.at + self.span)
        return max(at, self.sends[-back] + self.span)

    def _left(self, now: float) -> int:
        return sum(at + self.span <= now for at in tuple(self.sends))

    def _drop(self, turn: Turn | None) -> None:
        if turn is not None and turn in self._line:
            self._line.remove(turn)

    def _ease(self, now: float) -> None:
        self.easy = not (_LOCKED or self._line or self._held_until > now)
