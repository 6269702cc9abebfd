"""Decides when a call may send in a window that several processes share: by a permit, or by its standing part.

A window without a permit asks for some, by a function that leaves a note for another thread. A call waits for the
answer as it waits for a quota, for as long as the patience of the settings at most. Where no answer comes, this process
goes on with its standing part. Calls that wait are sent about in their order: each checks again when its lease begins.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from .cancel_window import CancelWindow
from .lease import Lease
from .lease_terms import LeaseTerms
from .permit_ledger import PermitLedger
from .rate_window import QueueTicket

__all__ = ["LeasedWindow"]

_FIRST_CHECK = 0.001  # seconds after which a call looks for an answer at the earliest
_USUAL_TRIPS = 1.3  # times the last round trip after which it does


class LeasedWindow(PermitLedger):
    """A window that several processes share. Safe across threads, tasks and signal handlers.

    Attributes:
        cancels: how it looks to cancels, which no store can refuse.
    """

    __slots__ = ("_ask", "cancels")

    def __init__(
        self,
        max_sends: int,
        span: float,
        terms_of: Callable[[int, float], LeaseTerms],
        ask: Callable[[LeasedWindow], object],
        wall: Callable[[], float] = lambda: -inf,
    ) -> None:
        """Begin without permits.

        Args:
            max_sends: sends in `span` that all processes are allowed together.
            span: seconds.
            terms_of: returns how that is divided.
            ask: has another thread call `question`. Never waits.
            wall: returns the Unix time.
        """
        super().__init__(max_sends, span, terms_of, wall)
        self._ask = ask
        self.cancels = CancelWindow(self)

    @property
    def urgent(self) -> CancelWindow:
        """The window as cancels see it."""
        return self.cancels

    def estimate(self, now: float) -> float:
        """Return when a send may be possible, without asking for it."""
        if self.has_permits(now, 1) or self._asked_at is not None or self._booked is None:
            return max(now, self._held_until)
        return max(now, self._held_until, self._booked.begin)

    def spend_for_cancel(self, now: float, weight: int) -> None:
        """Count a cancel, which is sent in any case: by a permit, by the standing part, or on credit."""
        with self._lock:
            self.fast_path = False
            self._spend(now, weight)
            self._update_fast_path(now)

    def cancel_ready_at(self, now: float, weight: int, since: float) -> float:
        """Return when a cancel that has waited since an instant gets a permit, or any of the standing part."""
        standing = inf if self.standing is None else self.standing.ready_at(now, weight)
        return now if standing <= now else min(standing, self._ready_by_sends(now, weight, since))

    def ready_alone(self, now: float, weight: int) -> float:
        """Return when the sends of this process alone allow an attempt; permits in hand count as sent."""
        log, taken = self._log, self._taken(now)
        if weight + taken <= len(log):
            return max(now, log[weight + taken - 1] + self.window_span) if weight else now
        # Of a small limit, permits in hand are all there is. They end before a whole window has passed.
        return inf if weight > len(log) else max(now, min(self.until, now + self.window_span))

    def is_cut_off(self, now: float) -> bool:
        """Return whether nothing is sent because the store does not answer."""
        return self.standing is None and self._is_lost(now)

    def _take_inside(self, now: float, weight: int) -> float:
        """Count the attempt of a signal handler that has interrupted a method on its own thread.

        What the lock protects may be half changed, so it spends no permit. It is reported to the store afterwards.
        """
        ready_at = max(now, self._held_until, self.ready_alone(now, weight))
        if ready_at <= now:
            self._inside.extend([now] * weight)
        return ready_at

    def _ready_by_sends(self, now: float, weight: int, since: float | None = None) -> float:
        if not weight or self.has_permits(now, weight):
            return now
        booked = self._booked
        is_usable = booked is not None and weight <= booked.permits and not _is_doubtful(booked, now)
        if booked is not None and is_usable and not self.is_over(booked, now):
            ready = max(now, booked.begin, self.ready_alone(now, weight))
        elif weight > self.terms.leased:
            ready = inf
        else:
            ready = self._answer_expected_at(now)
        return min(ready, self._standing_ready_at(now, weight, since))

    def _ready_at(self, now: float, weight: int, queue_ticket: QueueTicket | None) -> float:
        if queue_ticket is None:
            return self._ready_after_queue(now, weight)
        ready = self._ready_by_sends(now, weight, queue_ticket.since)
        return max(ready, self._held_until) if ready > now else max(now, self._held_until)

    def _ready_after_queue(self, now: float, weight: int) -> float:
        """Return when an attempt may come after everybody who waits: it looks again when the last of them does."""
        ready = max(self._ready_by_sends(now, weight, now), self._held_until)
        last = next((ticket.ready_at for ticket in reversed(self._tickets) if not ticket.gone), -inf)
        return max(ready, last)

    def _answer_expected_at(self, now: float) -> float:
        """Ask, unless that was done; return when to look for the answer, or never (inf) if none is expected."""
        asked_at = self._asked_at  # read once: the other thread may answer meanwhile
        if asked_at is None:
            asked_at = self._asked_at = now
            self._ask(self)
        if now < self._alone_until or now >= asked_at + self.terms.patience:
            return inf
        # Many that wait look less often each: else they hold the lock so much that the answer could not be stored.
        check_at = max(asked_at + _USUAL_TRIPS * self._round_trip, now + _FIRST_CHECK * (1 + len(self._tickets)))
        return min(check_at, asked_at + self.terms.patience)

    def _is_lost(self, now: float) -> bool:
        """Return whether no answer of the store is waited for any more."""
        asked_at = self._asked_at
        return now < self._alone_until or (asked_at is not None and now >= asked_at + self.terms.patience)

    def _standing_ready_at(self, now: float, weight: int, since: float | None) -> float:
        """Return when the standing part allows an attempt that is no cancel; never (inf) where it is not for that."""
        if not (self.terms.is_open or self._is_lost(now)):
            return inf
        if self.standing is None:
            # Nobody may send alone: the call waits for the store's return as long as for its answer.
            waits_until = (now if since is None else since) + self.terms.patience
            return waits_until if now < waits_until else inf
        return max(self.standing.ready_at(now, weight + self.terms.reserve), self.ready_alone(now, weight))


def _is_doubtful(booked: Lease, now: float) -> bool:
    """Return whether a lease should begin, but the store has not said again that it knows it."""
    return booked.is_unsure and booked.begin <= now
