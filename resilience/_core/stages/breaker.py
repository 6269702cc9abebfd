"""Provides the circuit breaker: what can be read of it, exported and restored, and its reload."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, NamedTuple

from ..policy.sections import BreakerSettings
from ..policy.units import Calls
from .breaker_rules import new_window
from .breaker_snapshot import VERSION, Snapshot, read_snapshot
from .breaker_switch import SwitchableBreaker
from .breaker_trials import Permit
from .outcome_window import OutcomeWindow
from .pybreaker_state import STATES, ListenerAdapter

__all__ = ["NEW", "USED", "USED_ONCE", "Breaker", "Permit"]

NEW, USED_ONCE, USED = "new", "used once", "used"
"""What is known of a breaker's use: nothing, that a call has asked for it once, or more than once."""

_new = object.__new__
_DESCRIBED = (
    "mode", "failure_rate", "slow_rate", "slow_after", "min_calls", "consecutive", "open_for", "growth", "open_max",
    "when_open",
)  # fmt: skip


class _Surroundings(NamedTuple):
    """What the breakers of one policy have in common. One object for all: there may be very many of them."""

    policy: str
    wall_clock: Callable[[], float]
    is_switched_off: Callable[[str], object]


class Breaker(SwitchableBreaker):
    """Admits attempts or rejects them; can be switched, exported and described. Safe across threads and tasks.

    Attributes:
        key: what it guards: a host, an operation or another key; the policy's name if it guards the whole policy.
    """

    # What an attempt calls is in `BreakerMachine`, and what switches it in `SwitchableBreaker`; both need nothing of
    # this class. `use` is what its pool knows of its use: `NEW`, `USED_ONCE`, `USED`, or what its counter has shown.

    __slots__ = ("_surroundings", "use")

    def __init__(
        self,
        settings: BreakerSettings,
        clock: Callable[[], float],
        *,
        policy: str = "",
        wall_clock: Callable[[], float] | None = None,
        is_switched_off: Callable[[str], object] = lambda _policy: None,
        **options: Any,
    ) -> None:
        """Begin closed; `clock` and `options` are those of `BreakerMachine`.

        Args:
            settings: when it opens and for how long.
            clock: monotonic seconds.
            policy: the name of its policy.
            wall_clock: Unix seconds; by default the monotonic ones.
            is_switched_off: returns what is true while a policy is isolated as a whole.
            options: further arguments of `BreakerMachine`.
        """
        super().__init__(settings, clock, **options)
        self._surroundings = _Surroundings(policy, wall_clock or clock, is_switched_off)
        self.use = NEW

    def sibling(self, key: str) -> Breaker:
        """Return a new breaker that guards another key by the same settings; to be asked of one that was never used.

        It costs half of what `Breaker(...)` costs: a policy may have very many keys.
        """
        made, settings, now = _new(Breaker), self._settings, self._clock()
        made.key, made.use, made._surroundings = key, NEW, self._surroundings
        made._clock, made._emit = self._clock, self._emit
        window = self.outcomes
        made.outcomes = OutcomeWindow(window.span, now) if type(window) is OutcomeWindow else new_window(settings, now)
        made.consecutive_failures, made.rejects_until = 0, self.rejects_until
        made._settings, made._lost_after, made._open_for = settings, self._lost_after, self._open_for
        made.shadow, made.slow_after = self.shadow, self.slow_after
        made._parts, made._notifies_each_call = None, False
        made._closed_generation, made.generation = self._closed_generation, self.generation
        made.untimed_generation = self.untimed_generation
        return made

    @property
    def policy(self) -> str:
        """Return the name of its policy."""
        return self._surroundings.policy

    @property
    def is_untouched(self) -> bool:
        """Whether nothing but successes has happened to it."""
        return self._parts is None

    @property
    def state(self) -> str:
        """Return `closed`, `open`, `half-open` or `isolated`.

        An open breaker whose time is over becomes half-open with the next attempt.

        It is isolated by its own `isolate` until `close`, and by `Policies.isolate` until `Policies.release`.
        """
        return "isolated" if self._isolated or self._surroundings.is_switched_off(self.policy) else self._state

    @property
    def counts(self) -> dict[str, int]:
        """What its window has counted: `succeeded`, `failed`, and `slow`, which are part of `succeeded`.

        Reading it takes no lock that an attempt waits for.
        """
        succeeded, failed, slow = self.outcomes.recent(self._clock())
        return {"succeeded": succeeded, "failed": failed, "slow": slow}

    @property
    def transitions(self) -> dict[str, int]:
        """How often it has changed to each state. `Policies.isolate` does not count here."""
        return dict.fromkeys(STATES, 0) if self._parts is None else self._parts.states.transitions.copy()

    @property
    def open_until(self) -> float | None:
        """When its first trial is admitted, Unix seconds; None while it is not open, and while only `close` ends it."""
        left = self._trial_from - self._clock()
        if self._state != "open" or self._isolated or not 0 < left < inf:
            return None
        return self._surroundings.wall_clock() + left

    @property
    def lost_after(self) -> float:
        """Return the seconds after which a trial counts as lost: twice the longest time an attempt may take."""
        return self._lost_after

    @property
    def settings(self) -> BreakerSettings:
        """Return the settings that it follows."""
        return self._settings

    def watch(self, watchers: tuple[ListenerAdapter, ...]) -> None:
        """Report to these listeners of pybreaker's kind from now on, and to no others."""
        self._locked(self._take_watchers, watchers)

    def retune(self, settings: BreakerSettings, lost_after: float) -> None:
        """Follow other settings: state, counts and permits stay; a window of another kind begins empty.

        An open breaker is open for no longer than the new settings allow.
        """
        self._locked(self._retune, settings, lost_after)

    def export(self) -> dict[str, Any]:
        """Return its state as plain data, with the times that remain; `restore` takes it, in another process too."""
        with self._lock:
            now = self._clock()
            left = max(0.0, self._trial_from - now) if self._states.current == "open" else 0.0
            saved = Snapshot(
                VERSION, self._states.current, self._isolated, left, self._open_for, self.consecutive_failures,
                self._trials.succeeded, self.outcomes.export(now),
            )  # fmt: skip
        return saved._asdict()

    def restore(self, saved: dict[str, Any], *, emit: bool = True) -> None:
        """Take over a state that `export` returned. Attempts that are under way are no longer counted.

        Counts of another kind of window than its own are left out, and so are the trials of the other process.

        Args:
            saved: the state.
            emit: whether the event of the change is emitted at once; if not, the next attempt emits it.

        Raises:
            ValueError: `saved` is not such a state; the message says why, and nothing has changed.
        """
        snapshot = read_snapshot(saved)
        rejects_for = -inf if snapshot.state == "closed" else snapshot.left
        self._change_at_once(rejects_for, self._load, snapshot, emit=emit)

    def describe(self) -> dict[str, Any]:
        """Return its settings and what it has counted, as plain data. Times are seconds."""
        rules = self._settings
        with self._lock:
            now = self._clock()
            succeeded, failed, slow = self.outcomes.counts(now)
            ready_in = (
                None if self._isolated else max(0.0, self._trial_from - now) if self._states.current == "open" else 0.0
            )
            counted = {
                "key": self.key, "state": self.state, "isolated": self._isolated, "ready_in": ready_in,
                "settled": {"succeeded": succeeded, "failed": failed, "slow": slow},
                "consecutive_failures": self.consecutive_failures,
                "opens_for": self._open_for, "trials": len(self._trials.permits),
                "trials_succeeded": self._trials.succeeded, "let_through": self._shadow_permits,
            }  # fmt: skip
        window = str(rules.window) if isinstance(rules.window, Calls) else rules.window
        half_open = {"permits": rules.half_open.permits, "successes": rules.half_open.successes}
        settings = {name: getattr(rules, name) for name in _DESCRIBED}
        return {**counted, **settings, "window": window, "half_open": half_open}

    def _load(self, now: float, saved: Snapshot) -> None:
        if saved.state == "closed":
            self._close(now)
        else:
            self._open(now, "the state that was restored")
            self._isolated = saved.isolated
            self._set_trial_from(now + saved.left)
        if saved.state == "half-open":
            self._states.change_to("half-open")
        self._open_for = min(max(saved.open_for, self._settings.open_for), self._longest_open)
        self.consecutive_failures, self._trials.succeeded = saved.consecutive_failures, saved.successes
        self.outcomes.load(saved.window, now)

    def _take_watchers(self, watchers: tuple[ListenerAdapter, ...]) -> None:
        self._watchers = watchers
        self._notifies_each_call = any(watcher.all_calls for watcher in watchers)
        self._set_generation()

    def _retune(self, settings: BreakerSettings, lost_after: float) -> None:
        now, span, before = self._clock(), settings.window, self._settings.window
        if isinstance(span, Calls) is not isinstance(before, Calls):
            self.outcomes = new_window(settings, now)
        elif span != before:
            self.outcomes.retune(span.count if isinstance(span, Calls) else span, now)  # type: ignore[arg-type]
        self._take_settings(settings, lost_after)
        open_for = settings.open_for if self._closed_generation else max(self._open_for, settings.open_for)
        self._open_for = min(open_for, self._longest_open)
        self._set_trial_from(min(self._trial_from, now + self._longest_open))
        self._set_generation()
