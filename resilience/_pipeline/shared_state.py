"""Holds what the pipelines of one set of policies share: clock, events, breakers, budgets, limits, holds, codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from .. import telemetry
from .._core.base.bounded_dict import BoundedDict
from .._core.base.clock import Clock
from .._core.base.events import Events
from .._core.base.fork_safety import new_lock, register_for_fork
from .._core.call.open_writes import OPEN_WRITES
from .._core.call.unsettled_writes import UnsettledWrites
from .._core.classify.classifier import Classifier
from .._core.policy.codes import CodeTable
from .._core.policy.policy import Policy
from .._core.policy.policy_set import PolicySet
from .._core.policy.sections import BudgetSettings
from .._core.stages.breaker_store import BreakerStore
from .._core.stages.budget import Budget
from .._core.stages.hold import Hold, Holds
from .._drivers.late_lookups import current_place
from .._drivers.system_clock import SystemClock
from .breaker_pool import BreakerPool
from .call_counts import CallCounts
from .call_tracing import CallTracer
from .classifiers import new_classifier
from .fleet_member import FleetMember
from .isolations import Isolations
from .keys_in_use import KeysInUse
from .limit_pool import LimitPool

__all__ = ["SharedState"]

_Codes = tuple[Mapping[str, CodeTable], dict[Any, Classifier]]
"""Code tables by path, and the classifiers that were made with them."""
MAX_NAMES = 1024  # names under which compiled calls of one function keep data


class SharedState:
    """What the pipelines of one set of policies share. Safe across threads, tasks and signal handlers.

    Attributes:
        clock: time and waiting.
        events: delivers events to the listeners.
        random: returns a random number from 0 up to 1, for jitter.
        make_key: returns a new idempotency key.
        breakers: the breakers by policy and key.
        limits: the quotas and admissions.
        holds: the waits that APIs have asked for.
        isolations: what somebody has switched off.
        keys_in_use: the keys of the calls under way.
        unsettled: the writes whose outcome nobody knows.
        counts: how calls have ended, by policy and operation.
        streams: the stream clients.
        tracers: make spans of the calls that are compiled.
        fleet: what is shared with other processes, or None.
        on_release: called with the holds that somebody has released, or None for all that there are; or None.
        log: the log of their events, or None.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *listeners: Any,
        random: Callable[[], float] | None = None,
        log: bool | str = False,
        breaker_store: BreakerStore | None = None,
        pybreaker_storage: Any = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.log = telemetry.new_event_log(log) if log is not False else None
        self.events = Events(
            *(() if self.log is None else (self.log,)),
            *listeners,
            now=self.clock.time,
            on_dropped=None if self.log is None else self.log.dropped,
            on_slow=None if self.log is None else self.log.slow,
            monotonic=self.clock.monotonic,
            run_id=_new_run_id(),
        )
        self._generator = Random()
        self.random = random or self._generator.random
        self.make_key: Callable[[], str] = _new_key
        self._lock = new_lock()
        self.holds = Holds()
        self.isolations = Isolations(self.holds, self.events, self.clock)
        self.breakers = BreakerPool(
            self.clock,
            self.events,
            store=breaker_store,
            is_switched_off=self.isolations.of,
            pybreaker_storage=pybreaker_storage,
        )
        self._budgets: dict[str, Budget] = {}
        self.limits = LimitPool(self.clock)
        self.keys_in_use = KeysInUse()
        self.unsettled = UnsettledWrites(current_place)
        OPEN_WRITES.settle_in(self.unsettled)
        self.counts = CallCounts()
        self.streams: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
        self.tracers: tuple[CallTracer, ...] = ()
        self.fleet: FleetMember | None = None
        self.on_release: Callable[[list[Hold] | None], None] | None = None
        self._policy_set = PolicySet({})
        self._codes: _Codes = {}, {}
        self._memories: WeakKeyDictionary[Callable[..., Any], BoundedDict[Any, Any]] = WeakKeyDictionary()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Draw other random numbers in a forked child: processes with the same jitter would retry at the same time."""
        self._generator.seed()
        self.events.run_id = _new_run_id()

    def __reduce__(self) -> tuple[Any, ...]:
        message = (
            "breakers, quotas and locks stay in their process: pickle the Policies, a pipeline that they give by name,"
            " or the decorated function, and each process has its own state"
        )
        raise TypeError(message)

    @property
    def tables(self) -> Mapping[str, CodeTable]:
        """The code tables that a policy file names by path."""
        return self._codes[0]

    def budget(self, policy: Policy, *, keep_state: bool = False) -> Budget | None:
        """Return the one retry budget of this policy, or None when it has none; `keep_state` as for breakers."""
        settings = policy.budget
        if settings is None:
            return None
        with self._lock:
            budget = self._budgets.get(policy.name)
            if budget is not None and keep_state:
                _retune_budget(budget, settings)
            elif budget is None:
                # `setdefault`: a signal handler may have made it while this was made.
                budget = self._budgets.setdefault(policy.name, Budget(settings, self.clock.monotonic()))
            elif budget.settings != settings:
                budget = self._budgets[policy.name] = Budget(settings, self.clock.monotonic())
            return budget

    def budgets(self) -> dict[str, Budget]:
        """Return the budget of each policy that has one."""
        return self._budgets.copy()

    def classifier(self, policy: Policy) -> Classifier:
        """Return the classifier by this policy's code tables, which are read here if they were not before."""
        key = (policy.codes, policy.unknown_errors)
        # One read of the attribute: a classifier of old tables is never stored beside new ones.
        tables, classifiers = self._codes
        classifier = classifiers.get(key)
        if classifier is None:
            classifier = classifiers[key] = new_classifier(policy, tables)
        return classifier

    def classifier_of(self, policy: Policy) -> Callable[[], Classifier]:
        """Return a function that returns the classifier of this policy, which a reload may replace.

        It is called for each answer with a body: `classifier` would hash the policy's settings each time.
        """
        last: tuple[_Codes, Classifier] | None = None

        def classifier() -> Classifier:
            nonlocal last
            codes, known = self._codes, last
            if known is None or known[0] is not codes:
                last = known = codes, self.classifier(policy)
            return known[1]

        return classifier

    def unnamed_quotas(self, policy: str | None) -> int:
        """Return how many quotas without a name a policy of the file has; 0 where it is not in the file."""
        settings = self._policy_set.policies.get(policy or "")
        return 0 if settings is None else sum(entry.name is None for entry in settings.quota)

    def take(self, before: PolicySet, after: PolicySet) -> None:
        """Take the settings of a reloaded file; state is kept, and so are classifiers where no table changed."""
        self._policy_set = after  # before anything is retuned: see `reapply`
        self.isolations.take(before, after)  # first of all: it may be why the file was changed
        if dict(before.tables) != dict(after.tables):
            self._codes = after.tables, {}
        self._retune(before, after)

    def reapply(self, policy: Policy) -> None:
        """Apply the current settings again where `policy` is not current any more.

        A thread that compiles under an old policy while another one reloads sets shared parts back to old settings.
        """
        current = self._policy_set
        if current.policies.get(policy.name, policy) is not policy:
            self._retune(current, current)

    def _retune(self, before: PolicySet, after: PolicySet) -> None:
        with self._lock:
            for name, budget in tuple(self._budgets.items()):
                settings = after.policies[name].budget if name in after.policies else None
                if settings is not None:
                    _retune_budget(budget, settings)
        self.breakers.retune(before.policies, after.policies)
        self.limits.retune(before.policies, after.policies)

    def describe_holds(self, policy: str | None = None) -> list[dict[str, Any]]:
        """Return the holds that last, as plain data: all, or those that concern a policy."""
        now, unix_now, holds = self.clock.monotonic(), self.clock.time(), self.holds
        described = []
        for hold in holds.current(now):
            policies = holds.policies_of(hold)
            if policy is None or policy in policies:
                fields = {name: getattr(hold, name) for name in ("scope", "host", "account", "operation", "reason")}
                left = hold.until - now
                described.append({**fields, "until": unix_now + left, "seconds_left": left, "policies": policies})
        return described

    def release(self, policy: Policy | None = None) -> int:
        """Lift the waits that APIs have asked for, in the quotas too; returns how many: all, or those of a policy."""
        released = self.holds.release(None if policy is None else policy.name)
        if self.on_release is not None:
            self.on_release(None if policy is None else released)
        self.limits.release(self.clock.monotonic(), policy)
        for hold in released:
            self.events.emit(
                "hold_ended",
                policy=hold.policy,
                operation=hold.operation,
                scope=hold.scope,
                host=hold.host,
                reason="released",
            )
        return len(released)

    def release_limits(self, policies: Iterable[str]) -> None:
        """Lift what the quotas of policies keep of the waits that APIs have asked for."""
        for name in policies:
            if (policy := self._policy_set.policies.get(name)) is not None:
                self.limits.release(self.clock.monotonic(), policy)

    def memory_of(self, fn: Callable[..., Any], name: tuple[Any, ...]) -> dict[str, Any]:
        """Return the mapping in which compiled calls of a function keep data under a name.

        It outlives reloads and ends with the function. A function that has no weak references gets a new one each time.
        """
        try:
            memories = self._memories.setdefault(fn, BoundedDict(MAX_NAMES))
        except TypeError:
            return {}
        memory: dict[str, Any] = memories.setdefault(name, {})
        return memory


def _retune_budget(budget: Budget, settings: BudgetSettings) -> None:
    if budget.settings != settings:
        budget.retune(settings)


def _new_key() -> str:
    return uuid4().hex


def _new_run_id() -> str:
    return f"{uuid4().hex[:6]}-"
