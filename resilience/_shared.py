"""What the pipelines of one set of policies share: clock, events, breakers, budgets, quotas, code tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ._breakers import Breakers
from ._clock import SystemClock
from ._core.budget import Budget
from ._core.classify import Classifier
from ._core.clock import Clock
from ._core.events import Events
from ._core.policy import Policy
from ._gates import Gates
from .errors import PolicyError

if TYPE_CHECKING:
    from ._core import registry as core
    from ._core.registry import CodeRegistry

__all__ = ["Shared", "check_codes"]


class Shared:
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
        self.events = Events(*listeners, on_dropped=on_dropped)
        self.random = random or Random().random
        self.make_key: Callable[[], str] = _new_key
        self._lock = Lock()
        self.breakers = Breakers(self.clock, self.events)
        self._budgets: dict[str, Budget] = {}
        self.gates = Gates()
        self._classifiers: dict[Any, Classifier] = {}
        self.tables: Mapping[str, core.CodeRegistry] = {}

    def budget(self, policy: Policy) -> Budget | None:
        """Return the one retry budget of this policy."""
        rules = policy.budget
        if rules is None:
            return None
        with self._lock:
            found = self._budgets.get(policy.name)
            if found is None or found.settings != rules:
                found = self._budgets[policy.name] = Budget(rules, self.clock.monotonic())
            return found

    def classifier(self, policy: Policy) -> Classifier:
        """Return the classifier for this policy's code tables, read at the first failure."""
        key = (policy.codes, policy.unknown)
        found = self._classifiers.get(key)
        if found is None:
            found = self._classifiers[key] = _classifier(policy, self.tables)
        return found

    def take(self, tables: Mapping[str, core.CodeRegistry]) -> None:
        """Use these tables, by path, from now on; classifiers made of others are forgotten."""
        if tables or self.tables:
            self._classifiers = {}
        self.tables = tables


def _classifier(policy: Policy, read: Mapping[str, core.CodeRegistry]) -> Classifier:
    from .config.tables import CodeRegistry, is_known

    def lookup(name: str) -> CodeRegistry | None:
        return CodeRegistry.builtin(name) if is_known(name) else None

    def table(name: str) -> core.CodeRegistry:
        if name in read:
            return read[name]
        return CodeRegistry.builtin(name) if is_known(name) else CodeRegistry.load(name)

    tables = [table(one) for one in policy.codes]
    return Classifier(tables, base=CodeRegistry.builtin("http"), lookup=lookup, unknown=policy.unknown)


def check_codes(policy: Policy, read: Mapping[str, core.CodeRegistry]) -> None:
    """Refuse a policy made in Python that names a table which is not there, now and not at the first failure."""
    from .config.tables import builtin_names, is_known

    for place, name in enumerate(policy.codes):
        if name not in read and not is_known(name) and not Path(name).is_file():
            there = f"there are {', '.join(builtin_names())}, or the path of a table"
            raise PolicyError(f"{policy.name}: codes[{place}]: no code registry {name!r}; {there}")


def _new_key() -> str:
    return uuid4().hex
