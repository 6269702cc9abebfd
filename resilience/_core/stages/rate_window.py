"""Counts the sends in a sliding span of time, exactly: never more than `max_sends` in any `span` seconds.

`sends` holds the instants of the last `max_sends` sends that really happened, oldest first. The next send is allowed
once the oldest of them is `span` seconds ago (a sliding-window log). A caller that cannot send yet takes a ticket,
which says from when to try again. A ticket holds no send: what it needs is checked again when its owner tries. So a
waiter that is late, or gone, costs the others nothing but its turn, and a planned send never counts as sent.

A signal handler may interrupt its own thread inside any method. Its attempt then passes the queue, and is counted like
any other: each change of the sends is one step, so that there is no moment at which fewer of them seem to have been.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from math import inf

from ..base.fork_safety import is_mine, new_lock, register_for_fork

__all__ = ["QueueTicket", "RateWindow"]

_LOST_AFTER = 60.0  # seconds after which a ticket that its owner did not use is dropped


class QueueTicket:
    """A turn in the queue of a window.

    Attributes:
        gone: its owner waits no more. Setting it leaves the queue, at any bytecode and under no lock: the next attempt
            removes the ticket. `cancel` removes it at once.
        rate_window: the window.
        ready_at: monotonic instant from which its owner may try again.
        since: monotonic instant at which its owner began to wait.
        weight: how many sends the attempt counts for.
    """

    __slots__ = ("gone", "rate_window", "ready_at", "since", "weight")

    def __init__(self, rate_window: RateWindow, ready_at: float, weight: int) -> None:
        self.gone = False
        self.rate_window = rate_window
        self.ready_at = self.since = ready_at
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
        until: instant from which a driver may send no more; only a lease has one.
    """

    # The fast path. Where `fast_path` is true, a driver does what `take` does, inline and without the lock:
    #
    #     if window.fast_path and window.sends[0] + window.span <= now < window.until: window.sends.append(now)
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
    # Without a GIL nothing of this holds: `import resilience` refuses such an interpreter.
    __slots__ = (
        "__weakref__", "_held_until", "_late", "_lock", "_tickets", "fast_path", "max_sends", "sends", "span", "until",
    )  # fmt: skip

    def __init__(self, max_sends: int, span: float) -> None:
        self.max_sends = max_sends
        self.span = span
        self.sends: deque[float] = deque([-inf] * max_sends, maxlen=max_sends)
        self.fast_path = True
        self.until = inf
        self._tickets: list[QueueTicket] = []
        self._held_until = -inf
        self._late: list[float] | None = None  # what is sent while `sends` are being replaced
        self._lock = new_lock()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Empty the queue in a child: the threads that wait exist in the parent alone."""
        self._tickets = []

    @property
    def urgent(self) -> RateWindow:
        """The window as cancels see it: this one, unless several processes share it."""
        return self

    @property
    def on_credit(self) -> RateWindow:
        """The window for an attempt that no store may refuse: this one, unless it is that of a cancel."""
        return self

    @property
    def history(self) -> tuple[float, ...]:
        """The instants of the last sends of this process, oldest first."""
        return tuple(self.sends)

    @property
    def held_until(self) -> float:
        """The instant before which nothing is sent; -inf when there never was a hold."""
        return self._held_until

    def ready_at(self, now: float, weight: int = 1, queue_ticket: QueueTicket | None = None) -> float:
        """Return the instant from which an attempt may be sent: `now`, later, or never (inf). Takes no lock.

        While another thread changes the queue it may be too early; `take` decides.

        Args:
            now: the present instant.
            weight: how many sends the attempt counts for.
            queue_ticket: its ticket of this window, or None for one that comes after everybody in the queue.
        """
        return self._ready_at(now, weight, queue_ticket)

    def is_cut_off(self, _now: float) -> bool:
        """Return whether nothing is sent because a store that several processes share does not answer."""
        return False

    def estimate(self, now: float) -> float:
        """Return what `ready_at` would for one send; it is only shown to people, and changes nothing."""
        return self._ready_at(now, 1, None)

    def take(self, now: float, weight: int = 1, queue_ticket: QueueTicket | None = None) -> float:
        """Count an attempt if it may be sent now, and return `now`.

        Otherwise nothing is counted, and the instant is returned from which to try again.
        """
        if is_mine(self._lock):
            return self._take_inside(now, weight)
        with self._lock:
            self.fast_path = False
            self._drop_gone()
            ready_at = self._ready_at(now, weight, queue_ticket)
            if ready_at > now:
                if queue_ticket is not None:
                    queue_ticket.ready_at = ready_at  # it keeps its turn
            else:
                self._spend(now, weight)
                self._remove(queue_ticket)
            self._update_fast_path(now)
            return ready_at

    def queue(self, now: float, weight: int) -> QueueTicket:
        """Join the queue and return the ticket, which says when to try."""
        queue_ticket = QueueTicket(self, now, weight)
        self.join_queue(now, queue_ticket)
        return queue_ticket

    def join_queue(self, now: float, queue_ticket: QueueTicket) -> None:
        """Join the queue with a ticket that its owner knows already, so that an interrupt cannot lose it."""
        with self._lock:
            self.fast_path = False
            self._drop_gone()
            while self._tickets and self._tickets[0].ready_at + _LOST_AFTER < now:
                del self._tickets[0]
            queue_ticket.ready_at = self._ready_after_queue(now, queue_ticket.weight)
            self._tickets.append(queue_ticket)

    def cancel(self, queue_ticket: QueueTicket) -> None:
        """Drop a ticket; those behind it keep their instants, and later ones come earlier."""
        queue_ticket.gone = True
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
                    self.sends.appendleft(-inf)  # it drops the last one in the same step
                elif when in self.sends:
                    self._replace_sends(lambda sends: _without(sends, when))
                else:
                    break
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
        """Return how many sends are allowed at this moment. Takes no lock."""
        return 0 if self._held_until > now else self._left(now)

    def is_empty(self, now: float) -> bool:
        """Return whether no send counts any more, no hold lasts and nobody waits."""
        return self.sends[-1] + self.span <= now and self._held_until <= now and not self._tickets

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
            added, self.span = tuple(more), max(span, self.span)
            instants: list[float] = []

            def merge(sends: tuple[float, ...]) -> list[float]:
                instants[:] = sorted(instant for instant in (*sends, *added) if instant > -inf)
                return [-inf] * max_sends + instants

            self._replace_sends(merge, max_sends)
            self.span = span
        return instants[:-max_sends]

    def follow(self, sends: Iterable[float], held_until: float) -> None:
        """Continue where windows of other settings ended: their sends count, and so does their hold."""
        self.sends.extend(sorted(sends))
        self._held_until = held_until
        self.fast_path = False  # the next `take` finds out

    # --- under the lock -----------------------------------------------------------------------

    def _spend(self, now: float, weight: int) -> None:
        self.sends.extend([now] * weight)

    def _take_inside(self, now: float, weight: int) -> float:
        """Count an attempt of a signal handler that has interrupted a method on its own thread."""
        ready_at = max(self._ready_by_sends(now, weight), self._held_until)
        if ready_at > now:
            return ready_at
        self.sends.extend([now] * weight)
        if self._late is not None:
            self._late.extend([now] * weight)
        return now

    def _replace_sends(
        self, change: Callable[[tuple[float, ...]], Iterable[float]], max_sends: int | None = None
    ) -> None:
        """Replace the sends in one step, without losing what a signal handler sends meanwhile."""
        late = self._late = list[float]()
        max_sends = self.max_sends if max_sends is None else max_sends
        changed = deque(change(tuple(self.sends)), maxlen=max_sends)
        self.sends, self.max_sends, self._late = changed, max_sends, None
        changed.extend(late)

    def _drop_gone(self) -> None:
        if self._tickets:
            self._tickets = [ticket for ticket in self._tickets if not ticket.gone]

    def _ready_by_sends(self, now: float, weight: int) -> float:
        """Return the instant from which the sends alone allow an attempt: a span after each that it pushes out.

        They are read by index: a driver may append meanwhile, and an iterator over a changed deque raises.
        """
        sends = self.sends
        if weight > len(sends):
            return inf
        if weight < 2:
            return max(now, sends[0] + self.span) if weight else now
        return max(now, max([sends[index] for index in range(weight)]) + self.span)

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
        sends = self.sends  # the same ones to the end: `ready_at` has no lock that keeps `retune` from replacing them
        back, is_last = len(sends) - weight + 1, True
        for ticket in reversed(self._tickets):
            if ticket.gone:
                continue
            if is_last:
                ready_at = max(ready_at, ticket.ready_at)  # sends that were undone are not for the last to come
                is_last = False
            back -= ticket.weight
            if back <= 0:
                return max(ready_at, ticket.ready_at + self.span)
        return ready_at if is_last else max(ready_at, sends[-back] + self.span)

    def _left(self, now: float) -> int:
        # `tuple` copies in one call into C, so a driver's append cannot change the deque meanwhile. Oldest first.
        return bisect_right(tuple(self.sends), now, key=lambda instant: instant + self.span)

    def _remove(self, queue_ticket: QueueTicket | None) -> None:
        if queue_ticket is not None:
            queue_ticket.gone = True  # a signal handler may have interrupted a method that adds it again
            if queue_ticket in self._tickets:
                self._tickets.remove(queue_ticket)

    def _update_fast_path(self, now: float) -> None:
        self.fast_path = not (self._tickets or self._held_until > now)


def _without(sends: tuple[float, ...], when: float) -> tuple[float, ...]:
    """Return the sends without one of this instant; a free place comes first."""
    index = sends.index(when)
    return (-inf, *sends[:index], *sends[index + 1 :])
