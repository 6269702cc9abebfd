"""Counts the sends in a sliding span of time, exactly: never more than `max_sends` in any `span` seconds.

`sends` holds the instants of the last `max_sends` sends that really happened, oldest first. The next send is allowed
once the oldest of them is `span` seconds ago (a sliding-window log). A caller that cannot send yet takes a ticket,
which says from when to try again. A ticket holds no send: what it needs is checked again when its owner tries. So a
waiter that is late, or gone, costs the others nothing but its turn, and a planned send never counts as sent.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from math import inf

from ..base.fork_safety import new_lock, register_for_fork

__all__ = ["QueueTicket", "RateWindow"]

_NO_GIL = not getattr(sys, "_is_gil_enabled", lambda: True)()  # the function exists since CPython 3.13
_LOST_AFTER = 60.0  # seconds after which a ticket that its owner did not use is dropped


class QueueTicket:
    """A turn in the queue of a window.

    Attributes:
        rate_window: the window.
        ready_at: monotonic instant from which its owner may try again.
        weight: how many sends the attempt counts for.
    """

    __slots__ = ("rate_window", "ready_at", "weight")

    def __init__(self, rate_window: RateWindow, ready_at: float, weight: int) -> None:
        self.rate_window = rate_window
        self.ready_at = ready_at
        self.weight = weight

    def cancel(self) -> None:
        """Leave the queue."""
        self.rate_window.cancel(self)


class RateWindow:
    """The sends of one window. Safe across threads and tasks. Times are monotonic seconds.

    Attributes:
        max_sends: sends allowed in `span`.
        span: seconds.
        sends: instants of the last sends, oldest first, always `max_sends` of them.
        fast_path: a driver may send without the lock.
    """

    # The fast path. Where `fast_path` is true, a driver does what `take` does, inline and without the lock:
    #
    #     if window.fast_path and window.sends[0] + window.span <= now: window.sends.append(now)
    #
    # It rests on these guarantees of CPython with a GIL (3.11 to 3.14, `CHECK_EVAL_BREAKER` in Python/ceval.c and
    # bytecodes.c):
    # - Another thread, or a signal handler, runs only when a function of Python is entered, at a backward jump, and
    #   after a call has returned. The line above reads slots, indexes a deque, adds and compares floats and jumps
    #   forward: no such point lies between its first read and the call of `append`.
    # - `deque.append` is one call into C, which releases the GIL nowhere: with `maxlen` set it drops the oldest float
    #   in the same call. The check for other threads comes after it.
    # So no two threads can both see the same oldest send and both send. `fast_path` is false while somebody waits in
    # the queue or a hold lasts: then order matters, and `take` decides under the lock. Every method that changes the
    # sends of a window in use sets `fast_path` to False first, because the lock keeps no driver out.
    # Without a GIL nothing of this holds, and `fast_path` is never true.
    __slots__ = ("__weakref__", "_held_until", "_lock", "_tickets", "fast_path", "max_sends", "sends", "span")

    def __init__(self, max_sends: int, span: float) -> None:
        self.max_sends = max_sends
        self.span = span
        self.sends: deque[float] = deque([-inf] * max_sends, maxlen=max_sends)
        self.fast_path = not _NO_GIL
        self._tickets: list[QueueTicket] = []
        self._held_until = -inf
        self._lock = new_lock()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Empty the queue in a child: the threads that wait exist in the parent alone."""
        self._tickets = []

    @property
    def held_until(self) -> float:
        """The instant before which nothing is sent; -inf when there never was a hold."""
        return self._held_until

    def ready_at(self, now: float, weight: int = 1, queue_ticket: QueueTicket | None = None) -> float:
        """Return the instant from which an attempt may be sent: `now`, later, or never (inf).

        Args:
            now: the present instant.
            weight: how many sends the attempt counts for.
            queue_ticket: its ticket of this window, or None for one that comes after everybody in the queue.
        """
        with self._lock:
            return self._ready_at(now, weight, queue_ticket)

    def take(self, now: float, weight: int = 1, queue_ticket: QueueTicket | None = None) -> float:
        """Count an attempt if it may be sent now, and return `now`.

        Otherwise nothing is counted, and the instant is returned from which to try again.
        """
        with self._lock:
            self.fast_path = False
            ready_at = self._ready_at(now, weight, queue_ticket)
            if ready_at > now:
                if queue_ticket is not None:
                    queue_ticket.ready_at = ready_at  # it keeps its turn
            else:
                self.sends.extend([now] * weight)
                self._remove(queue_ticket)
            self._update_fast_path(now)
            return ready_at

    def queue(self, now: float, weight: int) -> QueueTicket:
        """Join the queue and return the ticket, which says when to try."""
        with self._lock:
            self.fast_path = False
            while self._tickets and self._tickets[0].ready_at + _LOST_AFTER < now:
                del self._tickets[0]
            queue_ticket = QueueTicket(self, self._ready_after_queue(now, weight), weight)
            self._tickets.append(queue_ticket)
            return queue_ticket

    def cancel(self, queue_ticket: QueueTicket) -> None:
        """Drop a ticket; those behind it keep their instants, and later ones come earlier."""
        with self._lock:
            self._remove(queue_ticket)

    def undo(self, when: float, weight: int) -> None:
        """Take back what `take` counted at this instant, because nothing was sent.

        An older send that it had pushed out was a span ago by then, and limits nothing any more.
        """
        with self._lock:
            self.fast_path = False
            for _ in range(weight):
                if self.sends[-1] == when:
                    self.sends.pop()
                elif when in self.sends:
                    self.sends.remove(when)
                else:
                    break
                self.sends.appendleft(-inf)
            self._update_fast_path(when)

    def hold(self, now: float, until: float) -> None:
        """Send nothing before an instant; the queue keeps its order."""
        with self._lock:
            if until <= max(now, self._held_until):
                return
            self.fast_path = False
            self._held_until = until
            tickets, self._tickets = self._tickets, []
            for ticket in tickets:
                ticket.ready_at = max(ticket.ready_at, self._ready_after_queue(ticket.ready_at, ticket.weight))
                self._tickets.append(ticket)

    def release(self, now: float) -> None:
        """Lift a hold; the queue keeps its order, and each turn comes as early as the sends allow."""
        with self._lock:
            self.fast_path = False
            self._held_until = -inf
            tickets, self._tickets = self._tickets, []
            for ticket in tickets:
                ticket.ready_at = self._ready_after_queue(now, ticket.weight)
                self._tickets.append(ticket)
            self._update_fast_path(now)

    def drain(self, now: float, left: int) -> None:
        """Lower the remaining sends to this number; never raises it."""
        with self._lock:
            self.fast_path = False
            for _ in range(self._left(now) - max(0, left)):
                self.sends.append(now)
            self._update_fast_path(now)

    def left(self, now: float) -> int:
        """Return how many sends are allowed at this moment."""
        with self._lock:
            return 0 if self._held_until > now else self._left(now)

    def retune(self, max_sends: int, span: float, more: Iterable[float] = ()) -> list[float]:
        """Allow another number of sends in another span from now on.

        Args:
            max_sends: the new limit.
            span: its seconds.
            more: instants of sends that count here from now on.

        Returns:
            The oldest sends, as far as the new window cannot hold them.
        """
        with self._lock:
            self.fast_path = False  # before the sends are read: from here on only `take` sends
            instants = sorted(instant for instant in (*self.sends, *more) if instant > -inf)
            self.sends = deque([-inf] * max_sends, maxlen=max_sends)
            self.sends.extend(instants)
            self.max_sends, self.span = max_sends, span
        return instants[:-max_sends]

    def follow(self, sends: Iterable[float], held_until: float) -> None:
        """Continue where windows of other settings ended: their sends count, and so does their hold."""
        self.sends.extend(sorted(sends))
        self._held_until = held_until
        self.fast_path = False  # the next `take` finds out

    # --- under the lock -----------------------------------------------------------------------

    def _ready_by_sends(self, now: float, weight: int) -> float:
        """Return the instant from which the sends alone allow an attempt: a span after each that it pushes out.

        They are read by index: a driver may append meanwhile, and an iterator over a changed deque raises.
        """
        if weight > self.max_sends:
            return inf
        if weight < 2:
            return max(now, self.sends[0] + self.span) if weight else now
        return max(now, max([self.sends[index] for index in range(weight)]) + self.span)

    def _ready_at(self, now: float, weight: int, queue_ticket: QueueTicket | None) -> float:
        if queue_ticket is None:
            return self._ready_after_queue(now, weight)
        return max(self._ready_by_sends(now, weight), self._held_until, queue_ticket.ready_at)

    def _ready_after_queue(self, now: float, weight: int) -> float:
        """Return the instant of an attempt that comes after everybody in the queue.

        Every ticket is taken to send at its instant. Counted from the last one back, the send that this attempt
        pushes out is the one at which the weights reach `max_sends - weight + 1`; the attempt follows it by a span.
        """
        ready_at = max(self._ready_by_sends(now, weight), self._held_until)
        if not self._tickets or ready_at == inf:
            return ready_at
        ready_at = max(ready_at, self._tickets[-1].ready_at)  # sends that were undone are not for the last to come
        back = self.max_sends - weight + 1
        for ticket in reversed(self._tickets):
            back -= ticket.weight
            if back <= 0:
                return max(ready_at, ticket.ready_at + self.span)
        return max(ready_at, self.sends[-back] + self.span)

    def _left(self, now: float) -> int:
        # `tuple` copies in one call into C, so a driver's append cannot change the deque under an iterator.
        return sum(instant + self.span <= now for instant in tuple(self.sends))

    def _remove(self, queue_ticket: QueueTicket | None) -> None:
        if queue_ticket is not None and queue_ticket in self._tickets:
            self._tickets.remove(queue_ticket)

    def _update_fast_path(self, now: float) -> None:
        self.fast_path = not (_NO_GIL or self._tickets or self._held_until > now)
