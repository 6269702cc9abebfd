"""Counts the sends in a sliding span of time, exactly: never more than `max_sends` in any `span` seconds.

A caller that cannot send yet takes a ticket, which says from when to try again. A ticket holds no send: what it needs
is checked again when its owner tries. So a waiter that is late, or gone, costs the others nothing but its turn, and a
planned send never counts as sent. A signal handler may interrupt its own thread inside any method; its attempt then
passes the queue, and is counted like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from ..base.fork_safety import is_mine, register_for_fork
from .window_sends import WindowSends

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


class RateWindow(WindowSends):
    """The sends of one window, its holds and its queue. Safe across threads and tasks. Times are monotonic seconds."""

    __slots__ = ("__weakref__",)

    def __init__(self, max_sends: int, span: float) -> None:
        super().__init__(max_sends, span)
        self._tickets: list[QueueTicket] = []
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

    def left(self, now: float) -> int:
        """Return how many sends are allowed at this moment. Takes no lock."""
        return 0 if self._held_until > now else self._left(now)

    def is_empty(self, now: float) -> bool:
        """Return whether no send counts any more, no hold lasts and nobody waits."""
        return self.sends[-1] + self.span <= now and self._held_until <= now and not self._tickets

    def follow(self, sends: Iterable[float], held_until: float) -> None:
        """Continue where windows of other settings ended: their sends count, and so does their hold."""
        self.sends.extend(sorted(sends))
        self._held_until = held_until
        self.fast_path = False  # the next `take` finds out

    # --- under the lock -----------------------------------------------------------------------

    def _take_inside(self, now: float, weight: int) -> float:
        """Count an attempt of a signal handler that has interrupted a method on its own thread."""
        ready_at = max(self._ready_by_sends(now, weight), self._held_until)
        if ready_at > now:
            return ready_at
        self.sends.extend([now] * weight)
        if self._late is not None:
            self._late.extend([now] * weight)
        return now

    def _drop_gone(self) -> None:
        if self._tickets:
            self._tickets = [ticket for ticket in self._tickets if not ticket.gone]

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

    def _remove(self, queue_ticket: QueueTicket | None) -> None:
        if queue_ticket is not None:
            queue_ticket.gone = True  # a signal handler may have interrupted a method that adds it again
            if queue_ticket in self._tickets:
                self._tickets.remove(queue_ticket)
