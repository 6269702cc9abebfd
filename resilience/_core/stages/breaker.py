"""A circuit breaker: pybreaker's part holds state, storage and listeners (`states.py`), we decide.

The law of this file: every admitted attempt is settled exactly once, and a settlement counts only
in the generation that admitted it. User-fixable and fatal answers are neutral: they neither trip
the breaker nor dilute its rates, and in half-open they give the permit back. A closed breaker takes
no lock for a success that is not slow. Time is the pipeline's monotonic clock alone.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from math import inf
from typing import Any

from ..base.fork_safety import new_lock, register_for_fork
from ..policy.sections import BreakerSettings
from ..policy.units import Calls
from .breaker_snapshot import VERSION, Snapshot, read
from .outcome_window import CallCountWindow, OutcomeWindow
from .pybreaker_state import BreakerState, ListenerAdapter, QueuedNotice

__all__ = ["Breaker", "Permit"]

_LET_THROUGH = -1
"""The ticket of an attempt that a shadow breaker would have refused: it counts nowhere."""


class Permit:
    """Leave to make one trial while half-open; lost ones expire, so that they wedge nothing."""

    __slots__ = ("expires", "spare")

    def __init__(self, expires: float, spare: bool = False) -> None:
        self.expires = expires
        self.spare = spare


class Breaker:
    """Admits attempts or refuses them. Safe across threads and tasks.

    `generation` is the closed breaker's generation, or 0: one read decides the common case. A driver does
    inline what `admit` and `succeeded` do while it is closed: `generation`, `consecutive_failures` and
    `outcomes` (the window of settled attempts) are there for it. A breaker that needs more than that (slow successes, a
    listener of every success) keeps `generation` at 0 and is asked through its methods. Before the instant
    `open_until` it refuses everything, and a driver need not ask.
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_closed",
        "_each",
        "_emit",
        "_enough",
        "_generations",
        "_isolated",
        "_let_through",
        "_lock",
        "_lost_after",
        "_open_for",
        "_permits",
        "_settings",
        "_slow_after",
        "_states",
        "_successes",
        "_until",
        "_watchers",
        "consecutive_failures",
        "generation",
        "key",
        "open_until",
        "outcomes",
        "shadow",
    )  # fmt: skip

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
        span = settings.window
        self._settings = settings
        self._clock = clock
        self._emit = emit
        self.key = key
        self.shadow = settings.mode == "shadow"
        self.outcomes = (
            CallCountWindow(span.count, clock()) if isinstance(span, Calls) else OutcomeWindow(span, clock())
        )
        self._enough = min(settings.min_calls, span.count) if isinstance(span, Calls) else settings.min_calls
        self._slow_after = settings.slow_after if settings.slow_rate is not None else None
        self._lost_after = lost_after
        self._lock = new_lock()
        self._states = BreakerState(key, settings.open_for, lambda: (self.consecutive_failures, self._successes))
        self._watchers: tuple[ListenerAdapter, ...] = ()
        self._each = self._isolated = False
        self._permits: set[Permit] = set()
        self.consecutive_failures = self._successes = self._let_through = 0
        self._until = self.open_until = -inf
        self._open_for = settings.open_for
        self._generations = count(1)
        self._begin()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Take all permits back in a child: whose trials they were has stayed in the parent."""
        self._permits = set()

    # --- asked by every attempt -------------------------------------------------------------

    def admit(self, now: float, *, high_priority: bool = False) -> int | Permit | None:
        """Let an attempt through: a generation while closed, a permit while half-open, None refuses.

        While all permits are out, one urgent attempt at a time has a spare one.
        """
        permit: int | Permit | None = self._closed
        if not permit:
            with self._lock:
                permit = self._closed or self._trial(now, high_priority)
                if permit is None and self.shadow:
                    self._let_through += 1
                    permit = _LET_THROUGH
        if self._each and permit is not None:
            self._states.queue.append(QueuedNotice("before_call"))
        return permit

    def succeeded(self, permit: int | Permit, began: float) -> None:
        """Settle an attempt, begun at this instant, that the service answered well."""
        now, slow = began, False
        if self._slow_after is not None:
            now = self._clock()
            slow = now - began > self._slow_after
        if slow:
            counted = self._count_against(permit, now, slow=True)
        elif permit == self._closed:
            self.consecutive_failures = 0
            self.outcomes.add_common(now)
            counted = True
        else:
            counted = self._count_trial(permit, now)
        if counted and self._each:
            self._states.queue.append(QueuedNotice("success"))

    def failed(self, permit: int | Permit, now: float, error: object = None) -> None:
        """Settle an attempt that the service failed."""
        self._count_against(permit, now, error)

    def released(self, permit: int | Permit) -> None:
        """Settle an attempt that says nothing of the service (neutral), or that was abandoned."""
        if isinstance(permit, Permit):
            with self._lock:
                self._permits.discard(permit)

    def ready_at(self, now: float) -> float:
        """Return the monotonic instant from which an attempt may be admitted: `now`, later, or never (inf).

        While half-open it is `now`: a permit that is out may come back at any moment.
        """
        return max(now, self.open_until)

    def emit(self, emit: Callable[..., None], fn: object = None) -> None:
        """Tell what is queued, by `emit` and to pybreaker's listeners; asked after every lock is released."""
        queue = self._states.queue
        if not queue:
            return
        while True:
            with self._lock:
                if not queue:
                    return
                method, args, event = queue.popleft()
            if event is not None:
                emit(event, breaker=self.key, shadow=self.shadow or None)
            for watcher in self._watchers:
                watcher.emit(method, self._states.load(), *((fn,) if method == "before_call" else args))

    def watch(self, watchers: tuple[ListenerAdapter, ...]) -> None:
        """Let these listeners of pybreaker's hear of it from now on."""
        with self._lock:
            self._watchers = watchers
            self._each = any(one.all_calls for one in watchers)
            self._set_generation()

    # --- by hand ------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Return `closed`, `open` or `half-open`; an open one turns half-open when the next attempt asks."""
        return self._states.current

    @property
    def settings(self) -> BreakerSettings:
        """Return the settings it was made from."""
        return self._settings

    def open(self) -> None:
        """Open it for the first open time, as a trip would."""
        self._by_hand(self._force_open, False)

    def isolate(self) -> None:
        """Open it until `close` is called."""
        self._by_hand(self._force_open, True)

    def close(self) -> None:
        """Close it and forget what it counted."""
        self._by_hand(self._close)

    def retune(self, settings: BreakerSettings, lost_after: float) -> None:
        """Take other settings: state, counts and permits stay; a window of another kind begins anew.

        An open breaker is open for no longer than the new settings allow.
        """
        with self._lock:
            now, span, before = self._clock(), settings.window, self._settings.window
            if isinstance(span, Calls) is not isinstance(before, Calls):
                self.outcomes = (
                    CallCountWindow(span.count, now) if isinstance(span, Calls) else OutcomeWindow(span, now)
                )
            elif span != before:
                self.outcomes.retune(span.count if isinstance(span, Calls) else span, now)  # type: ignore[arg-type]
            self._settings, self._lost_after = settings, lost_after
            self.shadow = settings.mode == "shadow"
            self._enough = min(settings.min_calls, span.count) if isinstance(span, Calls) else settings.min_calls
            self._slow_after = settings.slow_after if settings.slow_rate is not None else None
            grown = settings.open_for if self._closed else max(self._open_for, settings.open_for)
            self._open_for = min(grown, self._longest)
            self._set_open_until(min(self._until, now + self._longest))
            self._set_generation()

    def export(self) -> dict[str, Any]:
        """Return its state as plain data, with the times that remain; `restore` takes it, in another process too."""
        with self._lock:
            now = self._clock()
            left = max(0.0, self._until - now) if self.state == "open" else 0.0
            saved = Snapshot(
                VERSION, self.state, self._isolated, left, self._open_for, self.consecutive_failures, self._successes,
                self.outcomes.export(now),
            )  # fmt: skip
        return saved._asdict()

    def restore(self, saved: dict[str, Any]) -> None:
        """Take a state that `export` gave; attempts that are under way count nowhere.

        Counts of another kind of window than its own are left out. Permits of the other process are
        not restored: its trials are not ours.

        Raises:
            ValueError: it is no such state; the message says why, and nothing has changed.
        """
        self._by_hand(self._load, read(saved))

    def describe(self) -> dict[str, Any]:
        """Return what it is and what it has counted, as plain data."""
        rules = self._settings
        with self._lock:
            now = self._clock()
            good, bad, slow = self.outcomes.counts(now)
            wait = None if self._isolated else max(0.0, self._until - now) if self.state == "open" else 0.0
            told = {
                "key": self.key, "state": self.state, "isolated": self._isolated, "ready_in": wait,
                "settled": {"succeeded": good, "failed": bad, "slow": slow},
                "consecutive_failures": self.consecutive_failures,
                "opens_for": self._open_for, "trials": len(self._permits), "trials_succeeded": self._successes,
                "let_through": self._let_through,
            }  # fmt: skip
        window = str(rules.window) if isinstance(rules.window, Calls) else rules.window
        names = ("mode", "failure_rate", "slow_rate", "slow_after", "min_calls", "consecutive", "open_for", "growth",
                 "open_max", "when_open")  # fmt: skip
        half_open = {"permits": rules.half_open.permits, "successes": rules.half_open.successes}
        return {**told, **{name: getattr(rules, name) for name in names}, "window": window, "half_open": half_open}

    def mark(self) -> tuple[int, int, int]:
        """Return something that changes whenever it is used, for who looks twice."""
        with self._lock:
            return self._closed, self.outcomes.seen, self._let_through

    # --- under the lock -----------------------------------------------------------------------

    def _trial(self, now: float, high_priority: bool) -> Permit | None:
        """Give a permit while half-open, turning so when it is time; None refuses."""
        if self._isolated or now < self._until:
            return None
        self._states.change_to("half-open")
        self._permits = {permit for permit in self._permits if permit.expires > now}
        spares = sum(permit.spare for permit in self._permits)
        spare = len(self._permits) - spares >= self._settings.half_open.permits
        if spare and (spares or not high_priority):
            return None
        permit = Permit(now + self._lost_after, spare)
        self._permits.add(permit)
        return permit

    def _tripped(self, now: float) -> bool:
        rules = self._settings
        if rules.consecutive is not None and self.consecutive_failures >= rules.consecutive:
            return True
        good, bad, slow = self.outcomes.counts(now)
        settled = good + bad
        if settled < self._enough:
            return False
        if rules.failure_rate is not None and bad / settled >= rules.failure_rate:
            return True
        return rules.slow_rate is not None and slow / settled >= rules.slow_rate

    def _open(self, now: float) -> None:
        self._set_open_until(now + self._open_for)
        self._closed = self.generation = 0
        self._reset()
        self._states.change_to("open")

    def _close(self, now: float) -> None:
        self._isolated = False
        self._open_for = self._settings.open_for
        self._set_open_until(-inf)
        self._reset()
        self.outcomes.clear(now)
        self._states.change_to("closed")
        self._begin()

    def _force_open(self, now: float, isolated: bool) -> None:
        self._isolated = isolated
        if not isolated:
            self._open_for = self._settings.open_for
        self._open(now)

    def _load(self, now: float, saved: Snapshot) -> None:
        if saved.state == "closed":
            self._close(now)
        else:
            self._open(now)
            self._isolated = saved.isolated
            self._set_open_until(now + saved.left)
        if saved.state == "half-open":
            self._states.change_to("half-open")
        self._open_for = min(max(saved.open_for, self._settings.open_for), self._longest)
        self.consecutive_failures, self._successes = saved.consecutive_failures, saved.successes
        self.outcomes.load(saved.window, now)

    def _set_open_until(self, until: float) -> None:
        """Admit nothing before an instant; an isolated one admits nothing at all, and a shadow everything."""
        self._until = until
        self.open_until = -inf if self.shadow else inf if self._isolated else until

    @property
    def _longest(self) -> float:
        return max(self._settings.open_max, self._settings.open_for)  # it grows, it never shrinks

    def _begin(self) -> None:
        """Begin a generation."""
        self._closed = next(self._generations)
        self._set_generation()

    def _set_generation(self) -> None:
        self.generation = 0 if self._each or self._slow_after is not None else self._closed

    def _reset(self) -> None:
        self.consecutive_failures = self._successes = 0
        self._permits = set()

    # --- taking the lock ------------------------------------------------------------------------

    def _count_against(self, permit: int | Permit, now: float, error: object = None, *, slow: bool = False) -> bool:
        """Count a failure, or a slow success; False when it counts no more."""
        self._states.load()  # before the lock: an import may run
        with self._lock:
            trial = permit in self._permits
            if not trial and permit != self._closed:
                return False
            if self._watchers and not slow:
                self._states.queue.append(QueuedNotice("failure", (error,)))
            if trial:
                self._open_for = min(self._open_for * self._settings.growth, self._longest)
                self._open(now)
                return True
            self.consecutive_failures = 0 if slow else self.consecutive_failures + 1
            (self.outcomes.add_slow if slow else self.outcomes.add_rare)(now)
            if self._tripped(now):
                self._open(now)
            return True

    def _count_trial(self, permit: int | Permit, now: float) -> bool:
        """Count a good trial; False when its permit counts no more."""
        with self._lock:
            if permit not in self._permits:
                return False
            self._permits = {one for one in self._permits if one is not permit}
            self._successes += 1
            if self._successes >= self._settings.half_open.successes:
                self._close(now)
            return True

    def _by_hand(self, change: Callable[..., None], *args: Any) -> None:
        """Make a change and tell it at once: no attempt may come for a while that would."""
        self._states.load()
        with self._lock:
            change(self._clock(), *args)
        if self._emit is not None:
            self.emit(self._emit)
