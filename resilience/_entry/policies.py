"""A loaded policy file as running pipelines, and the one that is configured for the process.

A bad file never half-applies: every mistake is reported at once and what ran before goes on. Whatever
counts (breakers, budgets, quotas, slots) is kept by name and takes new settings over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from .._core.base.clock import Clock
from .._core.base.fork_safety import new_lock
from .._core.classify.classifier import Classifier
from .._core.policy.policy import OperationSettings, Policy, PolicySet
from .._pipeline.pipeline import Pipeline
from .._pipeline.shared_state import SharedState
from ..errors import PolicyError
from .epoch import EPOCH
from .epoch import turn as _turn
from .reload import ActivePolicies, policy_named
from .reloading_pipeline import ReloadingPipeline

if TYPE_CHECKING:
    from ..config.reload.diff import Change
    from ..config.reload.watch import Watch

__all__ = ["EPOCH", "Policies", "configure", "configured_policies", "default_policies", "set_configured"]

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
        from ..telemetry.structlog import StructlogListener

        line = StructlogListener()
        self._shared = SharedState(clock, line, on_dropped=line.dropped) if log else SharedState(clock)
        self._force = ActivePolicies(policies, self._shared, load)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, clock: Clock | None = None) -> Policies:
        """Read a policy file. A reload reads the same one, in whatever folder the process is by then.

        Raises:
            PolicyError: every mistake in it, a line each: `file:line:col: path: what is wrong and what is allowed`.
        """
        from ..config.loading.policy_file import load

        where = os.path.abspath(path) if os.fspath(path) else path  # that one is told as what it is
        return cls(load(where), clock=clock, load=lambda: load(where))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, clock: Clock | None = None) -> Policies:
        """Take what a policy file would hold as a mapping.

        Raises:
            PolicyError: every mistake in it.
        """
        from ..config.loading.policy_file import from_mapping

        return cls(from_mapping(mapping), clock=clock)

    @classmethod
    def builtin(cls, *, clock: Clock | None = None) -> Policies:
        """Return the built-in policies alone: `default`, `http`, `bitget`, `bitget-ws`, `ccxt`."""
        from ..config.loading.policy_file import builtin

        return cls(builtin(), clock=clock)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the policies, sorted."""
        return tuple(sorted(self._force.policy_set.policies))

    def policy(self, name: str) -> Policy:
        """Return the settings of a policy.

        Raises:
            PolicyError: there is none of that name; the message lists those that there are.
        """
        return policy_named(self._force.policy_set, name)

    def pipeline(self, policy: str | Policy = "default", *, operation: str | None = None) -> Pipeline:
        """Return the pipeline of a policy; breaker and budget are those of its other operations.

        That of a name follows every reload, with what was compiled by it. A `Policy` made in Python has no file
        to follow.

        Raises:
            PolicyError: there is no policy of that name.
        """
        if isinstance(policy, Policy):
            return Pipeline(policy, operation=operation, shared=self._shared)
        self.pipeline_now(policy, operation)
        return ReloadingPipeline(lambda: self.pipeline_now(policy, operation))

    def pipeline_now(self, policy: str | Policy, operation: str | None) -> Pipeline:
        """Return the pipeline that is in force now; whoever compiles by it looks again after each change."""
        if isinstance(policy, Policy):
            return Pipeline(policy, operation=operation, shared=self._shared)
        return self._force.pipeline(policy, operation)

    @property
    def clock(self) -> Clock:
        """The time they go by."""
        return self._shared.clock

    @property
    def classifier(self) -> Classifier:
        """What sorts errors of no known policy: the registries that the file lists, then those of `default`."""
        policy_set = self._force.policy_set
        plain = policy_named(policy_set, "default")
        return self._shared.classifier(replace(plain, codes=tuple(dict.fromkeys((*policy_set.codes, *plain.codes)))))

    @property
    def path_globs(self) -> tuple[str, ...]:
        """The globs of `operations` that name a path, such as `post /v1/orders/*`."""
        return self._force.path_globs

    def rule_for(self, operation: str) -> OperationSettings | None:
        """Return the first entry of `operations` whose glob matches, or None."""
        return self._force.policy_set.rule_for(operation)

    @overload
    def resilient(self, policy: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def resilient(
        self, policy: str | Policy = "default", **options: Any
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def resilient(self, policy: Any = "default", **options: Any) -> Any:
        """Decorate a function under these policies; see `resilience.resilient`."""
        from .decorator import resilient

        return resilient(policy, policies=self, **options)

    def wrap(self, client: C, policy: str = "default", *, operations: Mapping[str, Any] | None = None) -> C:
        """Wrap a client under these policies; see `resilience.wrap`."""
        from .wrap import wrap

        return wrap(client, policy, operations=operations, policies=self)

    def subscribe(self, listener: Any) -> Callable[[], None]:
        """Send every event to `listener`; the function returned ends that. One that raises is dropped.

        A `pybreaker.CircuitBreakerListener` is told of every breaker of these policies instead: state changes and
        failures, and each success and call if it asks for them, which takes those breakers off the fast path.

        Raises:
            TypeError: it is neither a plain function of one event nor a listener of pybreaker's.
        """
        return self._shared.breakers.subscribe(listener)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that `reload` reads: the policy file, and the code tables that it names by their path."""
        policy_set = self._force.policy_set
        return () if self._force.load is None else (policy_set.source, *policy_set.tables)

    def reload(self) -> tuple[Change, ...]:
        """Read the source again and swap the policies in one step; returns what has changed.

        Running calls end under the policy with which they began. Breakers, budgets, quotas and slots take new
        settings over and forget nothing. The event `policy_reloaded` tells the changes, `policy_rejected` the
        mistakes. Safe across threads: of two reloads the second begins when the first has ended.

        Raises:
            PolicyError: the file is wrong, or a policy is gone that calls of this process use; what ran before goes on.
        """
        return self._force.reload()

    def watch(self, *, files: bool = True, signals: bool = False) -> Watch:
        """Reload whenever the files change, until the object returned is closed; it is a context manager as well.

        A daemon thread looks after the policy file and the code tables that it names. A bad file is told by
        `policy_rejected`, and the next good one loads. After a fork the child has to watch anew.

        Args:
            files: watch the files; needs the extra `watch`.
            signals: reload on SIGHUP as well; from the main thread only.

        Raises:
            PolicyError: these policies were not loaded from a file.
            ModuleNotFoundError: watchfiles is not installed.
            RuntimeError: signals are asked for outside the main thread, or on a system without SIGHUP.

        Example:
            >>> with Policies.load("bot.yaml").watch():  # doctest: +SKIP
            ...     run_the_bot()
        """
        force = self._force
        if force.load is None:
            raise PolicyError(f"{force.policy_set.source}: nothing to watch; Policies.load(path) reads a file")
        from ..config.reload.watch import Watch

        return Watch(lambda: self.files, force.reload, force.broken, files=files, signals=signals)

    def note_keyless(self, operation: str, fn: Callable[..., Any]) -> None:
        """Note a function whose key is for `operations` to name: a reload must not name one that it cannot carry."""
        self._force.note_keyless(operation, fn)

    def __repr__(self) -> str:
        return f"<Policies {self._force.policy_set.source}: {', '.join(self.names)}>"


_lock = new_lock()
_configured: Policies | None = None


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
    set_configured(fresh)
    return fresh


def configured_policies() -> Policies:
    """Return the configured policies: `configure`, else $RESILIENCE_POLICIES, else ./resilience.yaml, else built in."""
    global _configured
    if _configured is None:
        with _lock:
            if _configured is None:
                _configured = default_policies()
    return _configured


def default_policies(*, clock: Clock | None = None) -> Policies:
    """Return what a process has that configures nothing, read anew.

    Raises:
        PolicyError: the file is wrong; where the environment names it, the message says so.
    """
    policy_named = os.environ.get("RESILIENCE_POLICIES")
    if policy_named:
        try:
            return Policies.load(policy_named, clock=clock)
        except PolicyError as error:
            raise PolicyError(f"$RESILIENCE_POLICIES names {error}", error.problems) from None
    here = Path("resilience.yaml").is_file()
    return Policies.load("resilience.yaml", clock=clock) if here else Policies.builtin(clock=clock)


def set_configured(policies: Policies | None) -> Policies | None:
    """Configure these policies, or none, and return what was configured before."""
    global _configured
    with _lock:
        before, _configured = _configured, policies
        _turn()
    return before
