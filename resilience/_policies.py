"""A loaded policy file as running pipelines, and the one that is configured for the process.

A bad file never half-applies: every mistake is reported at once and what ran before goes on.
Breaker windows and budgets are kept by name, so that they survive a reload.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Any, ParamSpec, TypeVar, overload

from ._core.classify import Classifier
from ._core.clock import Clock
from ._core.events import Event
from ._core.policy import Operation, Policy, PolicySet
from ._pipeline import Pipeline
from ._shared import Shared
from .errors import PolicyError

__all__ = ["EPOCH", "Policies", "configure", "current", "found", "put"]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class Policies:
    """The policies of one file, layered over the built-in ones. Safe across threads and tasks."""

    def __init__(
        self,
        policies: PolicySet,
        *,
        clock: Clock | None = None,
        load: Callable[[], PolicySet] | None = None,
        log: bool = True,
    ) -> None:
        """Make the policies run.

        Args:
            policies: what a file says.
            clock: time and waiting; the machine's own by default.
            load: reads the source again, for `reload`.
            log: False writes no log lines; listeners get their events all the same.
        """
        from .telemetry.structlog import StructlogListener

        self._load = load
        line = StructlogListener()
        self._shared = Shared(clock, line, on_dropped=line.dropped) if log else Shared(clock)
        self._take(policies)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, clock: Clock | None = None) -> Policies:
        """Read a policy file.

        Raises:
            PolicyError: every mistake in it, a line each: `file:line:col: path: what is wrong and what is allowed`.
        """
        from .config.load import load

        return cls(load(path), clock=clock, load=lambda: load(path))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, clock: Clock | None = None) -> Policies:
        """Take what a policy file would hold as a mapping.

        Raises:
            PolicyError: every mistake in it.
        """
        from .config.load import from_mapping

        return cls(from_mapping(mapping), clock=clock)

    @classmethod
    def builtin(cls, *, clock: Clock | None = None) -> Policies:
        """Return the built-in policies alone: `default`, `http`, `bitget`, `ccxt`."""
        from .config.load import builtin

        return cls(builtin(), clock=clock)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the policies, sorted."""
        return tuple(sorted(self._set.policies))

    def policy(self, name: str) -> Policy:
        """Return the settings of a policy.

        Raises:
            PolicyError: there is none of that name; the message lists those that there are.
        """
        try:
            return self._set.policies[name]
        except KeyError:
            near = get_close_matches(str(name), self.names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise PolicyError(
                f"{self._set.source}: no policy {name!r}; there are {', '.join(self.names)}{hint}"
            ) from None

    def pipeline(self, policy: str | Policy = "default", *, operation: str | None = None) -> Pipeline:
        """Return the pipeline of a policy; breaker and budget are those of its other operations."""
        if isinstance(policy, Policy):
            return Pipeline(policy, operation=operation, shared=self._shared)
        key = (policy, operation)
        found = self._pipelines.get(key)
        if found is None:
            made = Pipeline(self.policy(policy), operation=operation, shared=self._shared)
            found = self._pipelines.setdefault(key, made)
        return found

    @property
    def clock(self) -> Clock:
        """The time they go by."""
        return self._shared.clock

    @property
    def classifier(self) -> Classifier:
        """What sorts errors of no known policy: the registries that the file lists, then those of `default`."""
        plain = self.policy("default")
        return self._shared.classifier(replace(plain, codes=tuple(dict.fromkeys((*self._set.codes, *plain.codes)))))

    def rule_for(self, operation: str) -> Operation | None:
        """Return the first entry of `operations` whose glob matches, or None."""
        for one in self._set.operations:
            if operation == one.match or fnmatchcase(operation, one.match):
                return one
        return None

    @overload
    def resilient(self, policy: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def resilient(
        self, policy: str | Policy = "default", **options: Any
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def resilient(self, policy: Any = "default", **options: Any) -> Any:
        """Decorate a function under these policies; see `resilience.resilient`."""
        from ._decorator import resilient

        return resilient(policy, policies=self, **options)

    def wrap(self, client: C, policy: str = "default", *, operations: Mapping[str, Any] | None = None) -> C:
        """Wrap a client under these policies; see `resilience.wrap`."""
        from ._client import wrap

        return wrap(client, policy, operations=operations, policies=self)

    def subscribe(self, listener: Any) -> Callable[[], None]:
        """Send every event to `listener`; the function returned ends that. One that raises is dropped.

        A `pybreaker.CircuitBreakerListener` is told of every breaker of these policies instead: state changes and
        failures, and each success and call if it asks for them, which takes those breakers off the fast path.

        Raises:
            TypeError: it is neither a plain function of one event nor a listener of pybreaker's.
        """
        return self._shared.breakers.subscribe(listener)

    def reload(self) -> None:
        """Read the source again and swap the policies; breakers, budgets and running calls go on.

        Raises:
            PolicyError: the file is wrong; what ran before goes on.
        """
        if self._load is None:
            return
        try:
            fresh = self._load()
        except PolicyError:
            self._shared.events.emit(Event(name="policy_rejected", caused_by="PolicyError"))
            raise
        self._take(fresh)
        _turn()
        self._shared.events.emit(Event(name="policy_reloaded"))

    def _take(self, policies: PolicySet) -> None:
        self._set = policies
        self._shared.take(policies.tables)
        self._pipelines: dict[tuple[str, str | None], Pipeline] = {}
        self.path_globs = tuple(one.match for one in policies.operations if "/" in one.match)
        """The globs of `operations` that name a path, such as `post /v1/orders/*`."""

    def __repr__(self) -> str:
        return f"<Policies {self._set.source}: {', '.join(self.names)}>"


_lock = Lock()
_configured: Policies | None = None
EPOCH: list[object] = [object()]
"""Holds one object, which is replaced whenever compiled calls must be looked up anew."""


def configure(source: str | os.PathLike[str] | Mapping[str, Any] | Policies) -> Policies:
    """Set the policies of this process and return them.

    Functions that are decorated already and clients that are wrapped already follow at their next call.

    Args:
        source: path of a policy file, a mapping of the same shape, or `Policies`.

    Raises:
        PolicyError: the source is wrong; what was configured before stays.
    """
    if isinstance(source, Policies):
        fresh = source
    elif isinstance(source, Mapping):
        fresh = Policies.from_mapping(source)
    elif isinstance(source, (str, os.PathLike)):
        fresh = Policies.load(source)
    else:
        raise TypeError(f"configure takes a path, a mapping or Policies, not {type(source).__name__}")
    put(fresh)
    return fresh


def current() -> Policies:
    """Return the configured policies: `configure`, else $RESILIENCE_POLICIES, else ./resilience.yaml, else built in."""
    global _configured
    if _configured is None:
        with _lock:
            if _configured is None:
                _configured = found()
    return _configured


def found(*, clock: Clock | None = None) -> Policies:
    """Return what a process has that configures nothing, read anew.

    Raises:
        PolicyError: the file is wrong; where the environment names it, the message says so.
    """
    named = os.environ.get("RESILIENCE_POLICIES")
    if named:
        try:
            return Policies.load(named, clock=clock)
        except PolicyError as error:
            raise PolicyError(f"$RESILIENCE_POLICIES names {error}", error.problems) from None
    here = Path("resilience.yaml").is_file()
    return Policies.load("resilience.yaml", clock=clock) if here else Policies.builtin(clock=clock)


def put(policies: Policies | None) -> Policies | None:
    """Configure these policies, or none, and return what was configured before."""
    global _configured
    with _lock:
        before, _configured = _configured, policies
        _turn()
    return before


def _turn() -> None:
    EPOCH[0] = object()
