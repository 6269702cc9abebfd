"""Holds the policies that are in force and replaces them when the policy file is read again.

One object holds everything that a file gives, and a reload replaces it in one assignment, so that no thread sees
parts of two files. Before that the new file is checked as a whole, against the calls of this process too. A file with
a mistake is rejected with an event, and the policies before it stay in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from .. import config, fleet
from .._core.base.bounded_dict import BoundedDict
from .._core.base.fork_safety import is_mine, new_lock
from .._core.call.idempotency_key import KeySlot
from .._core.call.stage_plugins import stages_of
from .._core.policy.operation_globs import with_lower_method
from .._core.policy.policy import Policy
from .._core.policy.policy_set import PolicySet
from .._pipeline.classifiers import new_classifier
from .._pipeline.failure_needs import load_needs
from .._pipeline.pipeline import Pipeline
from .._pipeline.shared_state import SharedState
from ..errors import PolicyError, Problem
from .epoch import start_new_epoch

if TYPE_CHECKING:
    from ..config.reload.diff import Change

__all__ = ["ActivePolicies", "policy_of"]

MAX_LISTED = 100  # changes or mistakes in one event
MAX_PIPELINES = 1024  # of one file: operation names may hold ids. State is kept by policy, so that nothing else is lost
MAX_KEY_CHECKS = 4096  # operations whose functions a reload is checked against


class _LoadedFile(NamedTuple):
    """The loaded file with its pipelines and its path globs."""

    policy_set: PolicySet
    pipelines: BoundedDict[tuple[str, str | None], Pipeline]
    path_globs: tuple[str, ...]


class ActivePolicies:
    """The policies that are in force, their pipelines, and their reload. Safe across threads and tasks.

    Attributes:
        load: reads the file again; None where there is no file.
    """

    def __init__(self, policy_set: PolicySet, shared: SharedState, load: Callable[[], PolicySet] | None) -> None:
        self.load = load
        self._shared = shared
        self._reload_lock = new_lock()
        self._must_reload = False
        self._last_mistakes = ""  # the text of the last rejected file's error, so that it is reported once
        self._used: set[str] = set()
        self._key_checks: dict[str, WeakSet[Callable[..., Any]]] = {}
        _check_fleet(policy_set)
        shared.take(PolicySet({}), policy_set)
        self._join_fleet(policy_set)
        for name in _named(policy_set):
            load_needs(policy_set.policies[name], shared)
        self._loaded = _loaded(policy_set)

    @property
    def policy_set(self) -> PolicySet:
        """The settings of the file."""
        return self._loaded.policy_set

    @property
    def path_globs(self) -> tuple[str, ...]:
        """The globs of `operations` that name a path, such as `post /v1/orders/*`."""
        return self._loaded.path_globs

    def pipeline(self, policy: str, operation: str | None) -> Pipeline:
        """Return the pipeline of a policy by its name.

        Raises:
            PolicyError: there is no policy of that name.
        """
        # One read of the attribute: a pipeline of an old file never gets into the mapping of a new one.
        policy_set, pipelines, _ = self._loaded
        pipeline = pipelines.get((policy, operation))
        if pipeline is None:
            settings = policy_of(policy_set, policy)
            pipeline = Pipeline(settings, operation=operation, shared=self._shared, keep_state=True)
            self._used.add(policy)
            pipeline = pipelines.setdefault((policy, operation), pipeline)  # another thread may have been first
        return pipeline

    def check_key_on_reload(self, operation: str, fn: Callable[..., Any]) -> None:
        """Have each reload checked against this function: `operations` must not give it a key it cannot carry."""
        if operation in self._key_checks or len(self._key_checks) < MAX_KEY_CHECKS:
            try:
                self._key_checks.setdefault(operation, WeakSet()).add(fn)
            except TypeError:
                pass  # it has no weak references: a key that it cannot carry is reported by its next call

    def reload(self, always_emit: bool = True) -> tuple[Change, ...]:
        """Read the file again and put it in force; returns what changed.

        Emits `policy_reloaded` or `policy_rejected`. Without `always_emit` it emits nothing where nothing changed, or
        where the mistakes are those of the last rejected file.

        Raises:
            PolicyError: the file is wrong, or calls of this process could not continue under it.
        """
        if self.load is None:
            return ()
        source = self.policy_set.source
        try:
            changes = self._replace(self.load)
        except PolicyError as error:
            if always_emit or str(error) != self._last_mistakes:
                self._last_mistakes = str(error)
                mistakes = tuple(problem._asdict() for problem in error.problems[:MAX_LISTED])
                self._emit_rejected(source, mistakes or ({"path": "", "message": str(error)},), "PolicyError")
            raise
        self._last_mistakes = ""
        if changes or always_emit:
            listed = tuple(change._asdict() for change in changes[:MAX_LISTED])
            self._shared.events.emit("policy_reloaded", source=source, changes=listed)
        return changes

    def _replace(self, load: Callable[[], PolicySet]) -> tuple[Change, ...]:
        self._must_reload = True
        changes: tuple[Change, ...] = ()
        # A signal handler that interrupts a reload leaves its own to the code that it has interrupted.
        while self._must_reload and not is_mine(self._reload_lock):
            with self._reload_lock:
                self._must_reload = False
                changes += self._replace_once(load)
        return changes

    def _replace_once(self, load: Callable[[], PolicySet]) -> tuple[Change, ...]:
        before, after = self.policy_set, load()
        self._check(after)
        changes = config.changes(before, after)
        if changes:
            self._shared.take(before, after)
            self._join_fleet(after)
            self._loaded = _loaded(after)
            start_new_epoch()
        return changes

    def _join_fleet(self, policy_set: PolicySet) -> None:
        """Share with other processes what the file says; nothing changes where it says the same as before."""
        settings, shared = policy_set.shared, self._shared
        before = shared.fleet
        if (None if before is None else before.settings) == settings:
            return
        # The new fleet before the end of the old one: where the store is the same, the link is kept.
        shared.fleet = None if settings is None else fleet.Fleet(settings, shared)
        leases = None if shared.fleet is None else shared.fleet.parts.get("quota")
        shared.limits.share(None if leases is None else leases.new_window)
        if before is not None:
            before.close()

    def compile_again(self) -> None:
        """Have everything compiled again at its next call, under the settings that are in force."""
        with self._reload_lock:
            self._loaded = _loaded(self._loaded.policy_set)
        start_new_epoch()

    def report_load_error(self, error: Exception) -> None:
        """Emit `policy_rejected` for a reload that ended in another error than a mistake in the file."""
        message = "the file could not be loaded; the policies before it stay in force"
        self._emit_rejected(self.policy_set.source, ({"path": "", "message": message},), type(error).__name__)

    def _emit_rejected(self, source: str, problems: tuple[dict[str, Any], ...], cause: str) -> None:
        self._shared.events.emit("policy_rejected", source=source, problems=problems, caused_by=cause)

    def _check(self, policy_set: PolicySet) -> None:
        """Reject settings under which calls of this process could not continue.

        Raises:
            PolicyError: a used policy is gone, a stage cannot be made, a function cannot carry its key, or a code table
                cannot be loaded.
        """
        _check_fleet(policy_set)
        problems = []
        for name in sorted(self._used):
            if name in policy_set.policies:
                stages_of(policy_set.policies[name])  # raises for a stage that cannot be made
            else:
                problems.append((f"policies.{name}", "is gone, but calls of this process use it"))
        problems += self._key_problems(policy_set)
        if problems:
            raise PolicyError.of([Problem(policy_set.source, 0, 0, path, message) for path, message in problems])
        for name in self._used | _named(policy_set):
            # Reads its code tables, here and not in a call.
            new_classifier(policy_set.policies[name], policy_set.tables)

    def _key_problems(self, policy_set: PolicySet) -> Iterator[tuple[str, str]]:
        """Yield path and message of each rule's key that a function of this process cannot carry."""
        for operation, functions in tuple(self._key_checks.items()):  # a copy: other threads add to the mapping
            rule = policy_set.rule_for(operation)
            if rule is not None and rule.key:
                messages = (_key_problem(rule.key, fn) for fn in tuple(functions))
                yield from ((f"operations.{operation}.key", message) for message in filter(None, messages))


def policy_of(policy_set: PolicySet, name: str) -> Policy:
    """Return the settings of a policy by its name.

    Raises:
        PolicyError: there is no policy of that name; the message lists the names.
    """
    try:
        return policy_set.policies[name]
    except KeyError:
        names = sorted(policy_set.policies)
        similar = get_close_matches(str(name), names, n=1)
        hint = f"; did you mean {similar[0]!r}?" if similar else ""
        raise PolicyError(f"{policy_set.source}: no policy {name!r}; available: {', '.join(names)}{hint}") from None


def _check_fleet(policy_set: PolicySet) -> None:
    """Reject a section `shared` where the library is missing that it needs.

    Raises:
        PolicyError: it is not installed.
    """
    if policy_set.shared is not None:
        fleet.require_client()


def _named(policy_set: PolicySet) -> set[str]:
    """Return the policies that a file names; a built-in one that it does not name is loaded where it is used."""
    named = {*policy_set.own, "default", *(rule.policy for rule in policy_set.operations if rule.policy)}
    return named & policy_set.policies.keys()


def _loaded(policy_set: PolicySet) -> _LoadedFile:
    globs = tuple(with_lower_method(rule.match) for rule in policy_set.operations if "/" in rule.match)
    return _LoadedFile(policy_set, BoundedDict(MAX_PIPELINES), globs)


def _key_problem(key: str, fn: Callable[..., Any]) -> str:
    """Return why a function cannot carry a key; empty where it can."""
    try:
        KeySlot(key, fn, str)
    except TypeError as error:
        return str(error)
    return ""
