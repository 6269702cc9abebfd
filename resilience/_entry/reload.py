"""What is in force: what a policy file says, its pipelines, and how another reading takes its place.

The law of this file: one object holds it all and is replaced in one step, so that nobody ever sees
half of two files. A reading is checked whole before that, against the calls of this process too; what
is wrong with it is told, and what ran before goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from .._core.base.fork_safety import new_lock
from .._core.call.idempotency_key import KeySlot
from .._core.call.stage_plugins import stages_of
from .._core.policy.policy import Policy, PolicySet
from .._pipeline.pipeline import Pipeline
from .._pipeline.shared_state import SharedState
from ..errors import PolicyError, Problem
from .epoch import turn

if TYPE_CHECKING:
    from ..config.reload.diff import Change

__all__ = ["ActivePolicies", "policy_named"]

_MOST_TOLD = 100  # changes or mistakes that one event tells
_MOST_NOTED = 4096  # operations whose functions are asked before a reload whether they can carry a key


class _Reading(NamedTuple):
    """One reading of a file, the pipelines made of it so far, and its globs that name a path."""

    policy_set: PolicySet
    pipelines: dict[tuple[str, str | None], Pipeline]
    path_globs: tuple[str, ...]


class ActivePolicies:
    """The reading that is in force, and the way to the next one. Safe across threads and tasks."""

    def __init__(self, policy_set: PolicySet, shared: SharedState, load: Callable[[], PolicySet] | None) -> None:
        """Put the first reading in force; `load` reads the file again, None where there is none."""
        self.load = load
        self._shared = shared
        self._loading = new_lock()
        self._last_told = ""  # the mistakes of the last rejected file
        self._used: set[str] = set()
        self._keyless: dict[str, WeakSet[Callable[..., Any]]] = {}
        shared.take(PolicySet({}), policy_set)
        self._now = _reading(policy_set)

    @property
    def policy_set(self) -> PolicySet:
        """What the file says."""
        return self._now.policy_set

    @property
    def path_globs(self) -> tuple[str, ...]:
        """The globs of `operations` that name a path, such as `post /v1/orders/*`."""
        return self._now.path_globs

    def pipeline(self, policy: str, operation: str | None) -> Pipeline:
        """Return the pipeline of a policy by its name.

        Raises:
            PolicyError: there is no policy of that name.
        """
        policy_set, pipelines, _ = self._now  # read once: a pipeline of an old file never gets among those of a new one
        found = pipelines.get((policy, operation))
        if found is None:
            made = Pipeline(policy_named(policy_set, policy), operation=operation, shared=self._shared, keep=True)
            self._used.add(policy)
            found = pipelines.setdefault((policy, operation), made)
        return found

    def note_keyless(self, operation: str, fn: Callable[..., Any]) -> None:
        """Note a function whose key is for `operations` to name: a reload must not name one that it cannot carry."""
        if operation in self._keyless or len(self._keyless) < _MOST_NOTED:
            try:
                self._keyless.setdefault(operation, WeakSet()).add(fn)
            except TypeError:
                pass  # nobody can refer to it weakly: what it cannot carry is told at its next call

    def reload(self, tell: bool = True) -> tuple[Change, ...]:
        """Read the file again and put it in force; returns what has changed. Without `tell` only news is told.

        Raises:
            PolicyError: the file is wrong, or calls of this process could not go on under it.
        """
        if self.load is None:
            return ()
        from ..config.reload.diff import changes

        source = self.policy_set.source
        try:
            with self._loading:
                before, fresh = self.policy_set, self.load()
                self._check(fresh)
                found = changes(before, fresh)
                if found:
                    self._shared.take(before, fresh)
                    self._now = _reading(fresh)
                    turn()
        except PolicyError as error:
            if tell or str(error) != self._last_told:
                self._last_told = str(error)
                told = tuple(one._asdict() for one in error.problems[:_MOST_TOLD])
                self._rejected(source, told or ({"path": "", "message": str(error)},), "PolicyError")
            raise
        self._last_told = ""
        if found or tell:
            changed = tuple(one._asdict() for one in found[:_MOST_TOLD])
            self._shared.events.emit("policy_reloaded", source=source, changes=changed)
        return found

    def broken(self, error: Exception) -> None:
        """Tell that a reload ended in something else than a mistake in a file."""
        told = {"path": "", "message": "the file could not be loaded; what ran before goes on"}
        self._rejected(self.policy_set.source, (told,), type(error).__name__)

    def _rejected(self, source: str, problems: tuple[dict[str, Any], ...], cause: str) -> None:
        self._shared.events.emit("policy_rejected", source=source, problems=problems, caused_by=cause)

    def _check(self, fresh: PolicySet) -> None:
        """Refuse a reading under which calls of this process could not go on.

        Raises:
            PolicyError: a policy that is used is gone, a stage cannot be made, or a function cannot carry a key.
        """
        found = []
        for name in sorted(self._used):
            if name in fresh.policies:
                stages_of(fresh.policies[name])
            else:
                found.append((f"policies.{name}", "is gone, and calls of this process use it"))
        for operation, functions in tuple(self._keyless.items()):
            rule = fresh.rule_for(operation)
            if rule is not None and rule.key:
                told = (_uncarried(rule.key, fn) for fn in tuple(functions))
                found += [(f"operations.{operation}.key", message) for message in told if message]
        if found:
            raise PolicyError.of([Problem(fresh.source, 0, 0, path, message) for path, message in found])


def policy_named(policy_set: PolicySet, name: str) -> Policy:
    """Return the settings of a policy by its name.

    Raises:
        PolicyError: there is none; the message lists those that there are.
    """
    try:
        return policy_set.policies[name]
    except KeyError:
        there = sorted(policy_set.policies)
        near = get_close_matches(str(name), there, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise PolicyError(f"{policy_set.source}: no policy {name!r}; there are {', '.join(there)}{hint}") from None


def _reading(policy_set: PolicySet) -> _Reading:
    return _Reading(policy_set, {}, tuple(one.match for one in policy_set.operations if "/" in one.match))


def _uncarried(key: str, fn: Callable[..., Any]) -> str:
    """Say why a function cannot carry a key; empty where it can."""
    try:
        KeySlot(key, fn, str)
    except TypeError as error:
        return str(error)
    return ""
