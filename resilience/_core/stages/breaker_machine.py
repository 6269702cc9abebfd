"""Implements the state machine of a circuit breaker, which admits every attempt and counts its outcome.

pybreaker keeps the state and its listeners (`pybreaker_state.py`); this module decides. Its guarantees:

- Every admitted attempt is settled exactly once, and a settlement counts only in the generation that admitted it.
- User-fixable and fatal answers are neutral. They neither open the breaker nor dilute its rates, and while it is
  half-open they give the permit back.
- A closed breaker takes no lock for a success that is not slow. One that has never failed has no lock either.
- Time is the pipeline's monotonic clock alone.
- A signal handler that interrupts a change on its own thread waits for nothing: its attempts are admitted without a
  record or rejected, and what it settles or switches is applied when the change is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from ..base.fork_safety import is_mine
from ..policy.sections import BreakerSettings
from .breaker_changes import BreakerChanges
from .breaker_rules import new_window, should_open
from .breaker_trials import Permit, TrialLease
from .counter import numbers_taken
from .pybreaker_state import ListenerAdapter, QueuedNotice

__all__ = ["BreakerMachine"]

_LONG_AGO = -inf
_SHADOW_PERMIT = -1
"""The permit of an attempt that a shadow breaker would have rejected. It is not a generation, so it never counts."""


class BreakerMachine(BreakerChanges):
    """Admits attempts or rejects them. Safe across threads and tasks.

    Attributes:
        generation: number of the closed breaker's generation, or 0: one read decides the common case. It is 0 also
            where a success needs more than a driver does inline: a listener of every call.
        rejects_until: monotonic instant before which everything is rejected, so that a driver need not call `admit`.
        consecutive_failures: failures since the last success.
        opened_by: what opened it the last time, in words; None while it is closed.
        outcomes: the window of settled attempts.
        key: what the breaker guards.
        lease: grants trials while the breakers of several processes are open together; None where it decides alone.
        shadow: it measures and never rejects.
        slow_after: seconds after which a success counts as slow; inf where slow ones are not counted apart.
        untimed_generation: the generation again where no success is slow, so that a driver need not read the clock.
    """

    # A driver does inline what `admit` and `succeeded` do while the breaker is closed: it reads `generation`, sends,
    # compares `generation` with its permit again (where there is a `slow_after`, after it has read the clock), sets
    # `consecutive_failures` to 0 and counts into `outcomes`. Each step is one attribute access or one call into C,
    # which CPython never interrupts. Under the GIL no other thread runs between the comparison and the count either:
    # threads switch when a function is entered, at a backward jump and after a call.
    #
    # A policy may have very many keys, and most of their breakers never leave the values below: a breaker has one of
    # its own, in its `__dict__`, only from its first change on. What every attempt reads or sets is in slots.
    __slots__ = (
        "_clock", "_closed_generation", "_emit", "_lost_after", "_notifies_each_call", "_open_for", "_settings",
        "consecutive_failures", "generation", "key", "outcomes", "rejects_until", "shadow", "slow_after",
        "untimed_generation",
    )  # fmt: skip
    lease: TrialLease | None = None
    opened_by: str | None = None
    close_reason = ""  # of a hand that closes it now
    _watchers: tuple[ListenerAdapter, ...] = ()
    _isolated = False
    _trial_from = _LONG_AGO
    _shadow_permits = 0
    _refusals_before = 0  # those until it was closed the last time
    _settings: BreakerSettings
    slow_after: float

    def __init__(
        self,
        settings: BreakerSettings,
        clock: Callable[[], float],
        *,
        key: str = "",
        lost_after: float = 60.0,
        emit: Callable[..., None] | None = None,
    ) -> None:
        """Begin closed.

        Args:
            settings: when it opens and for how long.
            clock: monotonic seconds.
            key: what it guards, for events and `describe`.
            lost_after: seconds after which a half-open permit that nobody settled is given out again.
            emit: sends an event, by name and fields, of a change that was made by hand.
        """
        self._clock = clock
        self._emit = emit
        self.key = key
        self.outcomes = new_window(settings, clock())
        self._parts = None
        self._notifies_each_call = False
        self.consecutive_failures = 0
        self.rejects_until = _LONG_AGO
        self._open_for = settings.open_for
        self._take_settings(settings, lost_after)
        self._closed_generation = 1
        self._set_generation()

    # --- called by every attempt ------------------------------------------------------------

    def admit(self, now: float, permit: Permit | None = None, *, high_priority: bool = False) -> int | Permit | None:
        """Return the generation while closed, a permit while half-open, and None to reject the attempt.

        Args:
            now: the present instant.
            permit: the permit to give out while half-open; None makes one.
            high_priority: whether the attempt may get a spare permit.
        """
        admitted: int | Permit | None = self._closed_generation
        if not admitted:
            permit = Permit() if permit is None else permit
            if is_mine(self._lock):  # by a signal handler in the middle of a change, which is left alone
                admitted = None if now < self.rejects_until else _SHADOW_PERMIT
            else:
                self._trials.sweep()
                admitted = self._locked(self._admit_trial, now, permit, high_priority)
        if self._notifies_each_call and admitted is not None:
            self._states.queue.append(QueuedNotice("before_call"))
        return admitted

    def admit_closed(self) -> int:
        """Admit an attempt as `admit` does, if the breaker is closed; else return 0. Takes no lock."""
        generation = self._closed_generation
        if generation and self._notifies_each_call:
            self._states.queue.append(QueuedNotice("before_call"))
        return generation

    def succeeded(self, permit: int | Permit, began: float) -> None:
        """Settle an attempt, begun at this instant, that the service answered well."""
        now, slow = began, False
        if self.slow_after != inf:
            now = self._clock()
            slow = now - began > self.slow_after
        if slow:
            counted = self._count_against(permit, now, slow=True)
        elif permit == self._closed_generation:
            self.consecutive_failures = 0
            self.outcomes.add_success(now)
            counted = True
        else:
            counted = self._count_good_trial(permit, now)
        if counted and self._notifies_each_call:
            self._states.queue.append(QueuedNotice("success"))

    def failed(self, permit: int | Permit, now: float, error: object = None) -> None:
        """Settle an attempt that the service failed."""
        (self._parts or self._make_parts()).states.prepare()  # before the lock: an import may run
        self._locked(self._count_bad, permit, now, error, False)

    def released(self, permit: int | Permit) -> None:
        """Settle an attempt that says nothing about the service (neutral), or that was abandoned."""
        if isinstance(permit, Permit):
            self.permits.discard(permit)

    def ready_at(self, now: float) -> float:
        """Return the monotonic instant from which an attempt may be admitted: `now`, later, or never (inf).

        While half-open it is `now`: a permit that is out may come back at any moment.
        """
        return max(now, self.rejects_until)

    def emit(self, emit: Callable[..., None], fn: object = None) -> None:
        """Send what is queued, by `emit` and to pybreaker's listeners. Called after every lock is released."""
        if self._parts is None:
            return
        queue = self._parts.states.queue
        while queue:
            try:
                method, args, event = queue.popleft()
            except IndexError:  # another thread was faster
                return
            if event is not None:
                refused = self._take_refusals() if event == "circuit_closed" else None
                reason, self.close_reason = self.close_reason or None, ""
                emit(event, breaker=self.key, shadow=self.shadow or None, refused=refused, reason=reason)
            for watcher in self._watchers:
                watcher.emit(method, self._states.load(), *((fn,) if method == "before_call" else args))

    def _take_refusals(self) -> int:
        """Return how many calls were rejected since this was asked the last time."""
        counted, before = numbers_taken(self.refusals), self._refusals_before
        self._refusals_before = counted
        return counted - before

    # --- under the lock -----------------------------------------------------------------------

    def _admit_trial(self, now: float, permit: Permit, high_priority: bool) -> int | Permit | None:
        admitted = self._closed_generation or self._begin_trial(now, permit, high_priority)
        if admitted is None and self.shadow:
            self._shadow_permits += 1
            return _SHADOW_PERMIT
        return admitted

    def _begin_trial(self, now: float, permit: Permit, high_priority: bool) -> Permit | None:
        """Give out the permit, turning half-open when it is time; None rejects."""
        if self._isolated or now < self._trial_from:
            return None
        permits = self._settings.half_open.permits
        lease = self.lease  # read once: the thread of the fleet may take it away
        if lease is not None:
            permits = lease.permits(now, permits)
            if not (permits or high_priority):
                return None
        self._states.change_to("half-open")
        return self._trials.begin(now, self._lost_after, permits, permit, high_priority=high_priority)

    def _open(self, now: float, by: str) -> None:
        self.opened_by = by
        self._set_trial_from(now + self._open_for)
        self._closed_generation = self.generation = self.untimed_generation = 0
        self._reset_counts()
        self._states.change_to("open", isolated=self._isolated)

    def _close(self, now: float) -> None:
        self._isolated, self.opened_by = False, None
        self._open_for = self._settings.open_for
        self._set_trial_from(-inf)
        self._reset_counts()
        self.outcomes.clear(now)
        self._states.change_to("closed")
        self._begin_generation()

    def _set_trial_from(self, instant: float) -> None:
        """Begin trials at an instant. An isolated breaker never begins them, and a shadow one rejects nothing."""
        self._trial_from = instant
        self.rejects_until = -inf if self.shadow else inf if self._isolated else instant

    def _begin_generation(self) -> None:
        self._closed_generation = next((self._parts or self._make_parts()).generations)
        self._set_generation()

    def _set_generation(self) -> None:
        self.generation = 0 if self._notifies_each_call else self._closed_generation
        self.untimed_generation = self.generation if self.slow_after == inf else 0

    def _take_settings(self, settings: BreakerSettings, lost_after: float) -> None:
        self._settings, self._lost_after = settings, lost_after
        self.shadow = settings.mode == "shadow"
        has_limit = settings.slow_rate is not None and settings.slow_after is not None
        self.slow_after = settings.slow_after if has_limit else inf  # type: ignore[assignment]

    @property
    def _longest_open(self) -> float:
        return max(self._settings.open_max, self._settings.open_for)  # the open time grows and never shrinks

    def _reset_counts(self) -> None:
        self.consecutive_failures = 0
        self._trials.reset()

    def _count_against(self, permit: int | Permit, now: float, error: object = None, *, slow: bool = False) -> bool:
        """Count a failure, or a slow success; False when its generation or its permit counts no more."""
        self._states.prepare()  # before the lock: an import may run
        return bool(self._locked(self._count_bad, permit, now, error, slow))

    def _count_good_trial(self, permit: int | Permit, now: float) -> bool:
        """Count a trial that succeeded; False when its permit counts no more."""
        return isinstance(permit, Permit) and bool(self._locked(self._count_good, permit, now))

    def _count_bad(self, permit: int | Permit, now: float, error: object, slow: bool) -> bool:
        is_trial = permit != self._closed_generation
        if is_trial and permit not in self.permits:
            return False
        if self._watchers and not slow:
            self._states.queue.append(QueuedNotice("failure", (error,)))
        if is_trial:
            # open_for x growth ** (failed trials in a row), at most open_max
            self._open_for = min(self._open_for * self._settings.growth, self._longest_open)
            self._open(now, f"a failed trial{_class_of(error)}")
            return True
        self.consecutive_failures = 0 if slow else self.consecutive_failures + 1
        (self.outcomes.add_slow_success if slow else self.outcomes.add_failure)(now)
        if should_open(self._settings, self.consecutive_failures, self.outcomes, now):
            self._open(now, "slow answers" if slow else f"failures{_class_of(error)}")
        return True

    def _count_good(self, permit: Permit, now: float) -> bool:
        if permit not in self.permits:
            return False
        self._trials.count_success(permit)
        if self._trials.succeeded >= self._settings.half_open.successes:
            self._close(now)
        return True


def _class_of(error: object) -> str:
    return f", at last {type(error).__name__}" if isinstance(error, BaseException) else ""
