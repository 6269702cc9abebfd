"""Provides `Policies`: the pipelines, wrapped clients, events and reloads of one policy file.

A wrong file is rejected as a whole: every mistake is reported at once, and the policies before it stay in force.
Breakers, budgets, quotas and slots are kept by name, so that a reload changes their settings and not their state.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from .. import config
from .._core.base.clock import Clock
from .._core.base.deprecation import warn_safely
from .._core.classify.classifier import Classifier
from .._core.policy.policy import Policy
from .._core.policy.policy_set import OperationSettings, PolicySet
from .._core.policy.section import changed
from .._core.stages.breaker_store import BreakerStore
from .._pipeline.compiler import PolicyCompiler
from .._pipeline.failure_needs import load_needs
from .._pipeline.pipeline import Pipeline
from .._pipeline.shared_state import SharedState
from ..errors import PolicyError
from .active_policies import ActivePolicies, policy_of
from .decorator import decorate
from .live_state import LiveState
from .operation_rules import OperationRules
from .reloading_compiler import ReloadingCompiler
from .wrap import check_client, wrap_client

if TYPE_CHECKING:
    from ..config.reload.diff import Change
    from ..config.reload.watch import Watch
    from ..outbox import Outbox

__all__ = ["Policies"]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class Policies(LiveState):
    """The policies of one file, layered over the built-in ones. Safe across threads and tasks.

    Make it by `load`, `from_mapping` or `builtin`, which take the same options as the class.
    """

    def __init__(
        self,
        policies: PolicySet,
        *,
        clock: Clock | None = None,
        load: Callable[[], PolicySet] | None = None,
        log: bool | Literal["logging", "structlog"] = True,
        breaker_store: BreakerStore | None = None,
        pybreaker_storage: Any = None,
    ) -> None:
        """Put the policies in force.

        Args:
            policies: the settings, as a policy file or a mapping gave them.
            clock: time and waiting; the machine's own by default.
            load: reads the source again, for `reload`; None where there is no source.
            log: True writes log lines to structlog where the program has configured it, else to `logging`;
                `"logging"` or `"structlog"` to that alone. False writes none; subscribed listeners get every event.
            breaker_store: keeps the states of breakers over a restart. It is given one second to load them here.
            pybreaker_storage: a `pybreaker.CircuitBreakerStorage` that other programs use too, for the breakers of all
                policies, or a mapping of policies' names to such storages. It is given one second to answer here.

        Raises:
            TypeError: a value of `pybreaker_storage` is not a storage of pybreaker.
            PolicyError: a storage is for a policy that does not exist.
        """
        for name in pybreaker_storage if isinstance(pybreaker_storage, Mapping) else ():
            policy_of(policies, name)
        self._options: dict[str, Any] = {
            "clock": clock,
            "log": log,
            "breaker_store": breaker_store,
            "pybreaker_storage": pybreaker_storage,
        }
        self._shared = SharedState(**self._options)
        self._active = ActivePolicies(policies, self._shared, load)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        clock: Clock | None = None,
        log: bool | Literal["logging", "structlog"] = True,
        breaker_store: BreakerStore | None = None,
        pybreaker_storage: Any = None,
    ) -> Policies:
        """Read a policy file. A reload reads the same file, whatever the working directory is by then.

        A key of version 0.1 causes a `DeprecationWarning` with its position and the new spelling.

        Args:
            path: the policy file.
            clock: as for `Policies(...)`, like the options below.
            log: where log lines go.
            breaker_store: keeps the states of breakers over a restart.
            pybreaker_storage: keeps the states of breakers that other programs use too.

        Raises:
            PolicyError: the file has mistakes; the message has a line for each:
                `file:line:col: path: what is wrong and what is allowed`.
        """
        absolute = os.path.abspath(path) if os.fspath(path) else path  # an empty path is reported as an empty path
        # A reload runs in a thread, or beside calls: a filter that makes errors of warnings must not stop it.
        policies = config.load(absolute)
        return cls(
            policies,
            clock=clock,
            load=partial(config.load, absolute, report=warn_safely),
            log=log,
            breaker_store=breaker_store,
            pybreaker_storage=pybreaker_storage,
        )

    @classmethod
    def from_mapping(
        cls,
        mapping: Mapping[str, Any],
        *,
        clock: Clock | None = None,
        log: bool | Literal["logging", "structlog"] = True,
        breaker_store: BreakerStore | None = None,
        pybreaker_storage: Any = None,
    ) -> Policies:
        """Read a mapping of the same shape as a policy file. The options are those of `Policies(...)`.

        Raises:
            PolicyError: the mapping has mistakes; the message has a line for each.
        """
        return cls(
            config.from_mapping(mapping),
            clock=clock,
            log=log,
            breaker_store=breaker_store,
            pybreaker_storage=pybreaker_storage,
        )

    @classmethod
    def builtin(
        cls,
        *,
        clock: Clock | None = None,
        log: bool | Literal["logging", "structlog"] = True,
        breaker_store: BreakerStore | None = None,
        pybreaker_storage: Any = None,
    ) -> Policies:
        """Return the built-in policies alone: `default`, `http`, `bitget`, `bitget-ws`, `ccxt`.

        The options are those of `Policies(...)`.
        """
        return cls(
            config.builtin(),
            clock=clock,
            log=log,
            breaker_store=breaker_store,
            pybreaker_storage=pybreaker_storage,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the policies, sorted."""
        return tuple(sorted(self._active.policy_set.policies))

    def policy(self, name: str) -> Policy:
        """Return the settings of a policy.

        Raises:
            PolicyError: there is no policy of that name; the message lists the names.
        """
        return policy_of(self._active.policy_set, name)

    def pipeline(self, policy: str | Policy = "default", *, operation: str | None = None) -> Pipeline:
        """Return a pipeline of a policy. It shares breaker and budget with the policy's other pipelines.

        If the policy is given by its name, the pipeline and the functions that it compiles follow every reload.

        Args:
            policy: a policy's name, or a `Policy` made in Python, which no reload changes.
            operation: name of the operation in events and metrics; by default that of each compiled function.

        Raises:
            PolicyError: there is no policy of that name.
        """
        pipeline = self.current_pipeline(policy, operation)
        if isinstance(policy, Policy):
            return pipeline
        # `current_pipeline` has raised for an unknown name: an error in the name shows here and not at the first call.
        return Pipeline.from_compiler(ReloadingCompiler(partial(_current_compiler, self, policy, operation)))

    def current_pipeline(self, policy: str | Policy, operation: str | None) -> Pipeline:
        """Return the pipeline that is in force; the caller reads it again after each change (see `EPOCH`)."""
        if isinstance(policy, Policy):
            return Pipeline(policy, operation=operation, shared=self._shared)
        return self._active.pipeline(policy, operation)

    @property
    def clock(self) -> Clock:
        """The clock that measures deadlines and waits."""
        return self._shared.clock

    @property
    def classifier(self) -> Classifier:
        """The classifier of errors of no known policy: by the registries of the file, then by those of `default`."""
        policy_set = self._active.policy_set
        default = policy_of(policy_set, "default")
        codes = tuple(dict.fromkeys((*policy_set.codes, *default.codes)))
        return self._shared.classifier(changed(default, codes=codes))

    def load_needs(self, *policies: str | Policy) -> None:
        """Load what a first call and a first failure under these policies need; without arguments under all of them.

        Raises:
            PolicyError: there is no policy of a name, or a code table cannot be loaded.
        """
        for policy in policies or self.names:
            load_needs(self.policy(policy) if isinstance(policy, str) else policy, self._shared)

    def load_used(self, policy: object) -> None:
        """Load what calls under the policy of a decorator need; the first call reports a name that does not exist."""
        chosen = policy if isinstance(policy, (str, Policy)) else "default"
        if isinstance(chosen, Policy) or chosen in self._active.policy_set.policies:
            self.load_needs(chosen)

    @property
    def path_globs(self) -> tuple[str, ...]:
        """The globs of `operations` that name a path, such as `post /v1/orders/*`."""
        return self._active.path_globs

    def rule_for(self, operation: str) -> OperationSettings | None:
        """Return the first entry of `operations` whose glob matches, or None."""
        return self._active.policy_set.rule_for(operation)

    @overload
    def resilient(self, policy: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def resilient(
        self,
        policy: str | Policy = "default",
        *,
        operation: str | None = None,
        idempotent: bool | None = None,
        key: str | None = None,
        reconcile: Callable[..., Any] | None = None,
        key_factory: Callable[[], str] | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def resilient(self, policy: Any = "default", **options: Any) -> Any:
        """Decorate a function so that it runs under these policies; see `resilience.resilient`."""
        decorated = decorate(policy, partial(_itself, self), **options)
        self.load_used(policy)
        return decorated

    def wrap(
        self,
        client: C,
        policy: str = "default",
        *,
        operations: Mapping[str, Any] | None = None,
        outbox: Outbox | None = None,
    ) -> C:
        """Wrap a client so that it runs under these policies; see `resilience.wrap`."""
        check_client(client)
        rules = OperationRules(policy, operations, lambda: self, outbox)
        rules.check_policies(self)
        for named in rules.named:
            self.load_used(named)
        return wrap_client(client, rules)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that `reload` reads: the policy file and the code tables that it names by path."""
        policy_set = self._active.policy_set
        return () if self._active.load is None else (policy_set.source, *policy_set.tables)

    def reload(self) -> tuple[Change, ...]:
        """Read the policy file again and put it in force in one step.

        A running call ends under the policy with which it began. Breakers, budgets, quotas and slots take the new
        settings and keep their state. Emits `policy_reloaded` with the changes, or `policy_rejected` with the
        mistakes. Safe across threads: concurrent reloads run one after the other.

        Returns:
            The settings that changed, in the order of the file.

        Raises:
            PolicyError: the file is wrong, or a policy that this process uses is gone; the old policies stay in force.
        """
        return self._active.reload()

    def watch(self, *, files: bool = True, signals: bool = False) -> Watch:
        """Reload whenever the files change, until the returned object is closed; it is a context manager too.

        A daemon thread watches the policy file and the code tables that it names. A wrong file emits
        `policy_rejected`, and the next valid one is loaded. After a fork, the child has to call `watch` again.

        Args:
            files: whether to watch the files; needs the extra `watch`.
            signals: whether to reload on SIGHUP too; from the main thread only.

        Raises:
            PolicyError: these policies were not loaded from a file.
            ModuleNotFoundError: watchfiles is not installed.
            RuntimeError: `signals` is set outside the main thread or on a system without SIGHUP.

        Example:
            >>> with Policies.load("bot.yaml").watch():  # doctest: +SKIP
            ...     run_the_bot()
        """
        active = self._active
        if active.load is None:
            raise PolicyError(f"{active.policy_set.source}: nothing to watch; Policies.load(path) reads a file")
        return config.Watch(lambda: self.files, active.reload, active.report_load_error, files=files, signals=signals)

    def check_key_on_reload(self, operation: str, fn: Callable[..., Any]) -> None:
        """Have each reload checked against this function: `operations` must not give it a key it cannot carry."""
        self._active.check_key_on_reload(operation, fn)

    def __copy__(self) -> Policies:
        return self  # two would have two opinions of one service, and twice its quota

    def __deepcopy__(self, _memo: Any) -> Policies:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # The settings travel; breakers, quotas and whatever else has happened here stay in this process.
        active = self._active
        return partial(Policies, load=active.load, **self._options), (active.policy_set,)

    def __repr__(self) -> str:
        return f"<Policies {self._active.policy_set.source}: {', '.join(self.names)}>"


def _itself(policies: Policies) -> Policies:
    """Return the policies: a function that is pickled, unlike a closure."""
    return policies


def _current_compiler(policies: Policies, policy: str | Policy, operation: str | None) -> PolicyCompiler:
    return policies.current_pipeline(policy, operation).compiler
