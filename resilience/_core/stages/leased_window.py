"""Counts the sends of a window that several processes share: permits are leased from a store, a batch at a time.

No I/O happens here. A window without a permit asks, by a function that leaves a note for another thread, and is given a
`Lease` later. A permit in hand is spent like a send of a `RateWindow`: the drivers do it inline. The window of this
process alone still applies: a lease is opened only as far as that has free sends, so the store only tightens.

`sends` holds the permits of the lease that is open: `-inf` is one that can be spent, an instant one that was. Nothing
is ever ready in it again, because `span` is longer than any lease. `_log` holds the sends of this process.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from math import inf
from typing import Any, NamedTuple

from .cancel_window import CancelWindow
from .lease_terms import LeaseTerms
from .rate_window import QueueTicket, RateWindow

__all__ = ["Lease", "LeaseQuestion", "LeasedWindow"]

_NEVER_AGAIN = 1e12  # seconds: a permit is spent once
_FIRST_LOOK = 0.001  # seconds after which a call looks for an answer for the first time, where none has come before
_LOOKS = 1.3  # times the last round trip after which a call looks for an answer


class Lease(NamedTuple):
    """Permits of a store.

    Attributes:
        begin: monotonic instant from which they may be spent.
        until: monotonic instant from which they may not.
        permits: how many sends.
        receipt: what the store calls it.
    """

    begin: float
    until: float
    permits: int
    receipt: Any


class LeaseQuestion(NamedTuple):
    """What a window asks of a store.

    Attributes:
        wanted: permits.
        ended: the leases that have ended: receipt, granted and spent permits. What was not spent can be leased again.
        overdrawn: cancels that were sent without a permit, which count against the limit as well.
    """

    wanted: int
    ended: tuple[tuple[Any, int, int], ...]
    overdrawn: int


class LeasedWindow(RateWindow):
    """A window that several processes share. Safe across threads, tasks and signal handlers.

    Attributes:
        cancels: how it looks to cancels, which no store can refuse.
        standing: the sends that this process has for itself; None where the limit is too small for that.
        terms: how it is divided.
        window_span: seconds in which `max_sends` are allowed.
    """

    __slots__ = (
        "_alone", "_ask", "_asked_at", "_batch", "_booked", "_current", "_ended", "_inside", "_log", "_overdrawn",
        "_round_trip", "_terms_of", "cancels", "standing", "terms", "window_span",
    )  # fmt: skip

    def __init__(
        self,
        max_sends: int,
        span: float,
        terms_of: Callable[[int, float], LeaseTerms],
        ask: Callable[[LeasedWindow], object],
    ) -> None:
        """Begin without permits.

        Args:
            max_sends: sends in `span` that all processes are allowed together.
            span: seconds.
            terms_of: returns how that is divided.
            ask: has another thread call `question`. Never waits.
        """
        super().__init__(max_sends, span)
        self._terms_of, self._ask = terms_of, ask
        self._log, self.window_span = self.sends, span
        self.sends = _no_permits()
        self.span, self.until = _NEVER_AGAIN, -inf
        self.cancels = CancelWindow(self)
        self._set_terms()
        self._asked_at: float | None = None
        self._round_trip = _FIRST_LOOK
        self._alone = False
        self._batch = 1
        self._forget_leases()

    def _set_terms(self) -> None:
        self.terms = self._terms_of(self.max_sends, self.window_span)
        self.standing = RateWindow(self.terms.standing, self.window_span) if self.terms.standing else None

    def _forget_leases(self) -> None:
        self._current: Lease | None = None
        self._booked: Lease | None = None
        self._ended: list[tuple[Any, int, int]] = []
        self._overdrawn = 0
        self._inside: deque[float] = deque()  # sends of signal handlers that interrupted a method
        self.sends, self.until = _no_permits(), -inf

    def reset_after_fork(self) -> None:
        """Leave the permits to the parent."""
        super().reset_after_fork()
        self._asked_at = None
        self._forget_leases()

    @property
    def urgent(self) -> CancelWindow:
        """The window as cancels see it."""
        return self.cancels

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
            ended, self._ended = tuple(self._ended), []
            overdrawn, self._overdrawn = self._overdrawn, 0
            waiting = sum(ticket.weight for ticket in self._tickets if not ticket.gone)
            largest = max((ticket.weight for ticket in self._tickets), default=1)
            wanted = max(largest, min(self.terms.max_batch, max(self._batch, waiting)))
            return LeaseQuestion(min(wanted, self.terms.leased), ended, overdrawn)

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
            self._alone = is_cold
            unused, self._booked = self._booked, None
            if unused is not None:
                self._ended.append((unused.receipt, unused.permits, 0))
            if lease.until <= max(now, lease.begin):
                self._ended.append((lease.receipt, lease.permits, 0))  # its time was over before it came
                self._alone = True
            else:
                self._booked = lease
            for ticket in self._tickets:
                ticket.ready_at = min(ticket.ready_at, max(now, lease.begin))
            self._update_fast_path(now)

    def lose(self, question: LeaseQuestion | None = None) -> None:
        """Go on alone: the store does not answer. What the question has reported may be reported twice."""
        with self._lock:
            self._asked_at, self._alone = None, True
            if question is not None:
                # Ended leases are not reported again: if the store has heard of them, it would count them twice.
                self._overdrawn += question.overdrawn

    def rejoin(self) -> None:
        """Ask the store again at the next call."""
        self._alone = False

    # --- what calls do; the lock is held but in `ready_at` --------------------------------------

    def estimate(self, now: float) -> float:
        """Return when a send may be possible, without asking for it."""
        if self._has_permits(now, 1) or self._asked_at is not None or self._booked is None:
            return max(now, self._held_until)
        return max(now, self._held_until, self._booked.begin)

    def _take_inside(self, now: float, weight: int) -> float:
        """Count the attempt of a signal handler that has interrupted a method on its own thread.

        What the lock protects may be half changed, so it spends no permit. It is reported to the store afterwards.
        """
        ready_at = max(now, self._held_until, self.ready_alone(now, weight))
        if ready_at <= now:
            self._inside.extend([now] * weight)
        return ready_at

    def _ready_by_sends(self, now: float, weight: int, since: float | None = None) -> float:
        if self._has_permits(now, weight):
            return now
        booked = self._booked
        if booked is not None and booked.until > now and booked.permits >= weight:
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

    def _spend(self, now: float, weight: int) -> None:
        self._take_over_inside()
        if not self._has_permits(now, weight):
            self._open_booked(now)
        if self._has_permits(now, weight):
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

    def overdraw(self, now: float, weight: int) -> None:
        """Count a cancel, which is sent in any case: by a permit in hand, by the standing part, or on credit."""
        with self._lock:
            self.fast_path = False
            self._spend(now, weight)
            self._update_fast_path(now)

    def ready_alone(self, now: float, weight: int) -> float:
        """Return when the sends of this process alone allow an attempt; permits in hand count as sent."""
        log, taken = self._log, self._taken(now)
        if weight + taken <= len(log):
            return max(now, log[weight + taken - 1] + self.window_span) if weight else now
        # Of a small limit, permits in hand are all there is. They end before a whole window has passed.
        return inf if weight > len(log) else max(now, min(self.until, now + self.window_span))

    def _taken(self, now: float) -> int:
        """Return how many sends are in no log yet: those of the lease in hand, all of it until it ends."""
        if self._current is None:
            return 0
        sends = self.sends
        return len(sends) if now < self.until else len(sends) - sends.count(-inf)

    def _has_permits(self, now: float, weight: int) -> bool:
        """Return whether so many permits can be spent now. Those that can are at the left."""
        sends = self.sends
        return now < self.until and (not weight or (weight <= len(sends) and sends[weight - 1] == -inf))

    def _answer_expected_at(self, now: float) -> float:
        """Ask, unless that was done; return when to look for the answer, or never (inf) if none is expected."""
        if self._asked_at is None:
            self._asked_at = now
            self._ask(self)
        if self._alone or now >= self._asked_at + self.terms.patience:
            return inf
        looks_at = max(self._asked_at + _LOOKS * self._round_trip, now + _FIRST_LOOK)
        return min(looks_at, self._asked_at + self.terms.patience)

    def _standing_ready_at(self, now: float, weight: int, since: float | None) -> float:
        """Return when the standing part allows an attempt that is no cancel; never (inf) where it is not for that."""
        is_lost = self._alone or (self._asked_at is not None and now >= self._asked_at + self.terms.patience)
        if not (is_lost or self.terms.is_open):
            return inf
        if self.standing is None:
            # Nobody may send alone: the call waits for the store's return as long as for its answer.
            waits_until = now + self.terms.patience if since is None else since + self.terms.patience
            return waits_until if now < waits_until else inf
        return max(self.standing.ready_at(now, weight + self.terms.reserve), self.ready_alone(now, weight))

    # --- leases ---------------------------------------------------------------------------------

    def _open_booked(self, now: float) -> None:
        booked = self._booked
        if booked is None or booked.begin > now:
            return
        self._close_current()
        self._booked = None
        permits = min(booked.permits, self._free_alone(now)) if booked.until > now else 0
        if not permits:
            self._ended.append((booked.receipt, booked.permits, 0))
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
        self._ended.append((current.receipt, current.permits, spent))
        # The next lease is larger where this one was too small, and smaller where most of it was not used.
        if not left:
            self._batch = min(self.terms.max_batch, self._batch * 2)
        elif spent * 4 <= current.permits:
            self._batch = max(1, self._batch // 2)

    def _free_alone(self, now: float) -> int:
        log = self._log
        if log[-1] + self.window_span <= now:  # the usual case of large windows, without a copy
            return len(log)
        return bisect_right(tuple(log), now, key=lambda instant: instant + self.window_span)

    def _take_over_inside(self) -> None:
        """Count what signal handlers have sent."""
        while self._inside:
            self._log.append(self._inside.popleft())
            self._overdrawn += 1

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
            self._close_current()
            for _ in range(self._free_alone(now) - max(0, left)):
                self._log.append(now)
            self._update_fast_path(now)

    def _left(self, now: float) -> int:
        return max(0, self._free_alone(now) - (len(self.sends) - self.sends.count(-inf) if self._current else 0))

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
