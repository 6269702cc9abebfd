"""What the pipelines of one set of policies share: clock, events, breakers, budgets, quotas, code tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from .._core.base.clock import Clock
from .._core.base.events import Events
from .._core.base.fork_safety import new_lock, register_for_fork
from .._core.classify.classifier import Classifier
from .._core.policy.policy import Policy, PolicySet
from .._core.policy.sections import BudgetSettings
from .._core.stages.budget import Budget
from .._drivers.system_clock import SystemClock
from ..errors import PolicyError
from .breaker_pool import BreakerPool
from .limit_pool import LimitPool

if TYPE_CHECKING:
    from .._core.policy import codes as core
    from .._core.policy.codes import CodeTable

__all__ = ["SharedState", "check_codes"]

_Codes = tuple[Mapping[str, "core.CodeTable"], dict[Any, Classifier]]
"""Code tables by path, and the classifiers that were made with them."""
_MOST_NAMES = 1024  # names under which one function's answers are remembered


class SharedState:
    """What the pipelines of one set of policies share: clock, events, breakers, budgets, quotas, slots, code tables.

    Safe across threads and tasks.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *listeners: Any,
        random: Callable[[], float] | None = None,
        on_dropped: Callable[[Any, Exception], None] | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.events = Events(*listeners, now=self.clock.time, on_dropped=on_dropped, run_id=_new_run_id())
        self._chance = Random()
        self.random = random or self._chance.random
        self.make_key: Callable[[], str] = _new_key
        self._lock = new_lock()
        self.breakers = BreakerPool(self.clock, self.events)
        self._budgets: dict[str, Budget] = {}
        self.limits = LimitPool()
        self._policy_set = PolicySet({})
        self._codes: _Codes = {}, {}
        self._remembered: WeakKeyDictionary[Callable[..., Any], dict[Any, Any]] = WeakKeyDictionary()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Be another one in a child: siblings that drew the same delays would retry in step."""
        self._chance.seed()
        self.events.run_id = _new_run_id()

    @property
    def tables(self) -> Mapping[str, core.CodeTable]:
        """The code tables that a file names by their path."""
        return self._codes[0]

    def budget(self, policy: Policy, *, keep: bool = False) -> Budget | None:
        """Return the one retry budget of this policy; `keep` lets one of other settings take these over."""
        rules = policy.budget
        if rules is None:
            return None
        with self._lock:
            found = self._budgets.get(policy.name)
            if found is not None and keep:
                _retune(found, rules)
            elif found is None or found.settings != rules:
                found = self._budgets[policy.name] = Budget(rules, self.clock.monotonic())
            return found

    def classifier(self, policy: Policy) -> Classifier:
        """Return the classifier for this policy's code tables, read at the first failure."""
        key = (policy.codes, policy.unknown_errors)
        tables, made = self._codes  # read together: a classifier of old tables is never kept with new ones
        found = made.get(key)
        if found is None:
            found = made[key] = _classifier(policy, tables)
        return found

    def take(self, before: PolicySet, after: PolicySet) -> None:
        """Go on under the policies of another file: what was counted stays, and classifiers of its tables do."""
        self._policy_set = after  # before anything is retuned: see `reapply`
        if dict(before.tables) != dict(after.tables):
            self._codes = after.tables, {}
        self._retune(before, after)

    def reapply(self, policy: Policy) -> None:
        """Undo what compiling under an earlier reading of a file has set back, when a reload came in between."""
        says = self._policy_set
        if says.policies.get(policy.name, policy) is not policy:
            self._retune(says, says)

    def _retune(self, before: PolicySet, after: PolicySet) -> None:
        with self._lock:
            for name, budget in self._budgets.items():
                rules = after.policies[name].budget if name in after.policies else None
                if rules is not None:
                    _retune(budget, rules)
        self.breakers.retune(after.policies)
        self.limits.retune(before.policies, after.policies)

    def memory_of(self, fn: Callable[..., Any], name: tuple[Any, ...]) -> dict[str, Any]:
        """Return what the compiled calls of a function remember under a name; it lives as long as the function."""
        try:
            known = self._remembered.setdefault(fn, {})
        except TypeError:
            return {}  # a callable that cannot be a weak key: compiled anew, it begins anew
        if name not in known and len(known) >= _MOST_NAMES:
            known.pop(next(iter(known)), None)
        found: dict[str, Any] = known.setdefault(name, {})
        return found


def _classifier(policy: Policy, read: Mapping[str, core.CodeTable]) -> Classifier:
    from ..config.codes.code_tables import CodeRegistry, is_known

    def lookup(name: str) -> CodeTable | None:
        return CodeRegistry.builtin(name) if is_known(name) else None

    def table(name: str) -> core.CodeTable:
        if name in read:
            return read[name]
        return CodeRegistry.builtin(name) if is_known(name) else CodeRegistry.load(name)

    tables = [table(one) for one in policy.codes]
    return Classifier(tables, base=CodeRegistry.builtin("http"), lookup=lookup, unknown=policy.unknown_errors)


def check_codes(policy: Policy, read: Mapping[str, core.CodeTable]) -> None:
    """Refuse a policy made in Python that names a table which is not there, now and not at the first failure."""
    from ..config.codes.code_tables import builtin_names, is_known

    for place, name in enumerate(policy.codes):
        if name not in read and not is_known(name) and not Path(name).is_file():
            there = f"there are {', '.join(builtin_names())}, or the path of a table"
            raise PolicyError(f"{policy.name}: codes[{place}]: no code registry {name!r}; {there}")


def _retune(budget: Budget, rules: BudgetSettings) -> None:
    if budget.settings != rules:
        budget.retune(rules)


def _new_key() -> str:
    return uuid4().hex


def _new_run_id() -> str:
    return f"{_new_key()[:6]}-"
