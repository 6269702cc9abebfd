"""Keeps the permits of a window that several processes share, and the sends of this process.

No I/O happens here. Another thread asks a store and brings a `Lease`. A permit in hand is spent like a send of a
`RateWindow`: the drivers do it inline. `sends` holds the permits of the lease that is open: `-inf` is one that can be
spent, an instant one that was. Nothing is ever ready in it again, because `span` is longer than any lease.

The limit of this process alone still applies, so that the store only tightens: `_log` holds its sends, and a lease is
opened only as far as that has room.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from math import inf

from .lease import EndedLease, Lease, LeaseQuestion
from .lease_terms import LeaseTerms
from .rate_window import RateWindow

__all__ = ["PermitLedger"]

_NEVER_AGAIN = 1e12  # seconds: a permit is spent once
_USUAL_TRIP = 0.001  # seconds of a round trip before the first one


class PermitLedger(RateWindow):
    """The permits and sends of a shared window. Safe across threads and signal handlers. `LeasedWindow` uses them.

    Attributes:
        standing: the sends that this process has for itself; None where the limit is too small for that.
        terms: how the limit is divided.
        window_span: seconds in which `max_sends` are allowed.
    """

    __slots__ = (
        "_alone_until", "_asked_at", "_batch", "_booked", "_current", "_ended", "_inside", "_log", "_overdrawn",
        "_round_trip", "_terms_of", "_wall", "standing", "terms", "window_span",
    )  # fmt: skip

    def __init__(
        self, max_sends: int, span: float, terms_of: Callable[[int, float], LeaseTerms], wall: Callable[[], float]
    ) -> None:
        """Begin without permits; see `LeasedWindow`."""
        super().__init__(max_sends, span)
        self._wall = wall
        self._terms_of = terms_of
        self._log, self.window_span = self.sends, span
        self.span = _NEVER_AGAIN
        self._set_terms()
        self._asked_at: float | None = None
        self._round_trip = _USUAL_TRIP
        self._alone_until = -inf
        self._batch = 1
        self._forget_leases()

    def _set_terms(self) -> None:
        self.terms = self._terms_of(self.max_sends, self.window_span)
        self.standing = RateWindow(self.terms.standing, self.window_span) if self.terms.standing else None

    def _forget_leases(self) -> None:
        self._current: Lease | None = None
        self._booked: Lease | None = None
        self._ended: list[EndedLease] = []
        self._overdrawn = 0
        self._inside: deque[float] = deque()  # sends of signal handlers that interrupted a method
        self.sends, self.until = _no_permits(), -inf

    def reset_after_fork(self) -> None:
        """Leave the permits to the parent."""
        super().reset_after_fork()
        self._asked_at = None
        self._forget_leases()

    @property
    def history(self) -> tuple[float, ...]:
        """The instants of the last sends of this process, oldest first."""
        return (*self._log, *(instant for instant in tuple(self.sends) if -inf < instant < inf))

    def in_hand(self, now: float) -> int:
        """Return how many permits can be spent now."""
        return self.sends.count(-inf) if now < self.until else 0

    # --- what the other thread does -----------------------------------------------------------

    def question(self) -> LeaseQuestion:
        """Return what is to be asked, and forget what it says of the leases that have ended."""
        with self._lock:
            self._take_over_inside()
            if self._current is not None and self.sends[0] != -inf:  # all of it is spent, which counts from now on
                self.fast_path = False
                self._close_current()
            ended, self._ended = tuple(self._ended), []
            overdrawn, self._overdrawn = self._overdrawn, 0
            waiting = sum(ticket.weight for ticket in self._tickets if not ticket.gone)
            least = max((ticket.weight for ticket in self._tickets), default=1)
            wanted = max(least, min(self.terms.max_batch, max(self._batch, waiting)))
            cap = self.terms.leased
            return LeaseQuestion(min(wanted, cap), ended, overdrawn, min(least, cap))

    def grant(self, lease: Lease, now: float, round_trip: float, *, is_cold: bool = False) -> None:
        """Take the answer: permits that may be spent at once, or later. The store is there again.

        Args:
            lease: the permits.
            now: the present instant.
            round_trip: seconds that the answer took.
            is_cold: the store does not know what was granted before, so that the permits come after a whole window.
        """
        with self._lock:
            self.fast_path = False
            self._asked_at = None
            self._round_trip = round_trip
            self._alone_until = lease.begin if is_cold else -inf
            unused, self._booked = self._booked, None
            if unused is not None:
                self._ended.append(EndedLease(unused))
            if lease.until <= max(now, lease.begin):
                self._ended.append(EndedLease(lease))  # its time was over before it came
                self._alone_until = inf
            else:
                self._booked = lease
            for ticket in self._tickets:
                ticket.ready_at = min(ticket.ready_at, max(now, lease.begin))
            self._update_fast_path(now)

    def settle(self, lease: Lease, *, is_known: bool) -> None:
        """Take what the store says of a lease that was unsure: it may be spent, or the store has forgotten it."""
        with self._lock:
            if self._booked is lease:
                self._booked = lease._replace(is_unsure=False) if is_known else None

    def lose(self, question: LeaseQuestion | None = None) -> None:
        """Go on alone until the store has answered a question. What this one has reported may be reported twice."""
        with self._lock:
            self._asked_at, self._alone_until = None, inf
            if question is not None:
                # Ended leases are not reported again: if the store has got them, it would count them twice.
                self._overdrawn += question.overdrawn

    # --- under the lock -----------------------------------------------------------------------

    def _spend(self, now: float, weight: int) -> None:
        self._take_over_inside()
        if not self.has_permits(now, weight):
            self._open_booked(now)
        if self.has_permits(now, weight):
            self.sends.extend([now] * weight)
        else:
            self._spend_alone(now, weight)

    def _spend_alone(self, now: float, weight: int) -> None:
        """Count a send without a permit: by the standing part, and what that has not is reported to the store."""
        if self.standing is None or self.standing.ready_at(now, weight) > now:
            self._overdrawn += weight
        if self.standing is not None:
            self.standing.sends.extend([now] * weight)
        self._log.extend([now] * weight)

    def has_permits(self, now: float, weight: int) -> bool:
        """Return whether so many permits can be spent now. Those that can are at the left."""
        sends = self.sends
        if now >= self.until or weight > len(sends) or sends[weight - 1] != -inf:
            return False
        current = self._current  # read once: another thread may close it
        return current is not None and not self.is_over(current, now)

    def is_over(self, lease: Lease, now: float) -> bool:
        """Return whether a lease has ended, by the monotonic clock or by the wall clock."""
        return lease.until <= now or self._wall() >= lease.wall_until

    def _taken(self, now: float) -> int:
        """Return how many sends are in no log yet: those of the lease in hand, all of it until it ends."""
        if self._current is None:
            return 0
        sends = self.sends
        return len(sends) if now < self.until else len(sends) - sends.count(-inf)

    def _open_booked(self, now: float) -> None:
        booked = self._booked
        if booked is None or booked.begin > now or booked.is_unsure:
            return
        self._close_current()
        self._booked = None
        permits = 0 if self.is_over(booked, now) else min(booked.permits, self._free_alone(now, booked.permits))
        if not permits:
            self._ended.append(EndedLease(booked))
            return
        self._current = booked
        self.sends, self.until = deque([-inf] * permits, maxlen=permits), booked.until

    def _close_current(self) -> None:
        """End the lease in hand. `fast_path` is False, so no driver spends a permit meanwhile."""
        current, self._current = self._current, None
        if current is None:
            return
        sends, self.sends, self.until = self.sends, _no_permits(), -inf
        left = sends.count(-inf)
        spent = len(sends) - left
        self._log.extend(islice(sends, left, None))
        self._ended.append(EndedLease(current, spent))
        # The next lease is twice what was spent of this one: larger where it was too small, else smaller.
        self._batch = max(1, min(self.terms.max_batch, spent * 2))

    def _free_alone(self, now: float, wanted: int | None = None) -> int:
        """Return how many sends this process alone may make now; at least `wanted` is all that is asked for."""
        log = self._log
        if wanted and wanted <= len(log) and log[wanted - 1] + self.window_span <= now:
            return wanted  # the usual case, without a copy of a large log
        return bisect_right(tuple(log), now, key=lambda instant: instant + self.window_span)

    def _take_over_inside(self) -> None:
        """Count what signal handlers have sent."""
        while self._inside:
            self._log.append(self._inside.popleft())
            self._overdrawn += 1

    def _update_fast_path(self, now: float) -> None:
        # Drivers do not read the wall clock: a lease that it has ended is taken out of their hands here.
        if self._current is not None and self._wall() >= self._current.wall_until:
            self._close_current()
        super()._update_fast_path(now)

    # --- what a `RateWindow` does by its sends --------------------------------------------------

    def undo(self, when: float, weight: int) -> None:
        """Take back what was counted at this instant, because nothing was sent: a permit can be spent again."""
        with self._lock:
            self.fast_path = False
            for _ in range(weight):
                if self.sends[-1] == when:
                    self.sends.appendleft(-inf)
                elif when in self.sends:
                    self.sends = deque((-inf, *_without_one(tuple(self.sends), when)), maxlen=len(self.sends))
                elif when in self._log:
                    self._log = deque((-inf, *_without_one(tuple(self._log), when)), maxlen=self.max_sends)
                    if self.standing is not None:
                        self.standing.undo(when, 1)
            self._update_fast_path(when)

    def drain(self, now: float, left: int) -> None:
        """Lower the remaining sends of this process to this number; never raises it."""
        with self._lock:
            self.fast_path = False
            excess = self._left(now) - max(0, left)
            if excess > self._free_alone(now) - self._taken(now):  # else the permits in hand are not touched
                self._close_current()
            self._log.extend([now] * max(0, excess))
            self._update_fast_path(now)

    def _left(self, now: float) -> int:
        spent = 0 if self._current is None else len(self.sends) - self.sends.count(-inf)
        return max(0, self._free_alone(now) - spent)

    def is_empty(self, now: float) -> bool:
        """Return whether no send counts any more, no hold lasts, nobody waits and no permit is in hand or asked for."""
        is_idle = self._asked_at is None and now >= self.until and (self._booked is None or self._booked.until <= now)
        is_over = self._log[-1] + self.window_span <= now and self._held_until <= now
        return is_idle and is_over and not self._tickets and not self._inside

    def retune(self, max_sends: int, span: float, more: Iterable[float] = ()) -> list[float]:
        """Allow another number of sends in another span; see `RateWindow.retune`."""
        with self._lock:
            self.fast_path = False
            self._close_current()
            self._take_over_inside()
            instants = sorted(instant for instant in (*self._log, *more) if instant > -inf)
            self._log = deque([-inf] * max_sends + instants, maxlen=max_sends)
            self.max_sends, self.window_span = max_sends, span
            before = self.standing
            self._set_terms()
            if self.standing is not None and before is not None:
                self.standing.follow(before.sends, -inf)
        return instants[:-max_sends]

    def follow(self, sends: Iterable[float], held_until: float) -> None:
        """Continue where windows of other settings ended; see `RateWindow.follow`."""
        self._log.extend(sorted(sends))
        self._held_until = held_until
        self.fast_path = False


def _no_permits() -> deque[float]:
    return deque([inf], maxlen=1)


def _without_one(sends: tuple[float, ...], when: float) -> tuple[float, ...]:
    index = sends.index(when)
    return (*sends[:index], *sends[index + 1 :])
