"""Provides `Pipeline`, which calls and compiles functions under a policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, ParamSpec, TypeVar

from .._core.base.clock import Clock
from .._core.call.operation_info import OperationInfo
from .._core.call.plan import Plan
from .._core.call.stage import Stage
from .._core.call.timeline import timeline
from .._core.classify.classifier import Classifier
from .._core.policy.policy import Policy
from .._core.stages.breaker import Breaker
from .._core.stages.breaker_store import BreakerStore
from .._core.stages.stage_list import STAGES
from .compiler import Compiler, PolicyCompiler
from .shared_state import SharedState

__all__ = ["Pipeline"]

P = ParamSpec("P")
T = TypeVar("T")


class Pipeline:
    """A policy with its running parts: breaker, budget, quota. Safe across threads, tasks and event loops.

    A pipeline from `Policies.pipeline("name")` follows every reload of the policy file, and so do the functions that
    it has compiled. One made by `Pipeline(Policy(...))` has no file to follow.

    Example:
        >>> from resilience import Policy
        >>> Pipeline(Policy(retry={"max_attempts": 3})).call(len, "abc")
        3
    """

    # One class serves both kinds: only the compiler that it forwards to differs, so that `Policies.pipeline` returns a
    # real `Pipeline`, to type checkers and to `isinstance`, without a subclass that would override every member.

    def __init__(
        self,
        policy: Policy,
        *,
        operation: str | None = None,
        idempotent: bool | None = None,
        key: str | None = None,
        reconcile: Callable[..., Any] | None = None,
        clock: Clock | None = None,
        breaker_store: BreakerStore | None = None,
        stages: Sequence[Stage] = (),
        listeners: Sequence[Any] = (),
        log: bool | Literal["logging", "structlog"] = True,
        shared: SharedState | None = None,
        keep_state: bool = False,
    ) -> None:
        """Build the parts once.

        Args:
            policy: the settings.
            operation: the operation's name; by default that of each compiled function, and the policy's in `call`.
            idempotent: whether sending twice is harmless; None means a write, which is never blindly sent twice.
            key: parameter that carries the idempotency key, such as `client_id` or `params.clientOid`.
            reconcile: looks up a write of uncertain outcome; returns `Found(...)` or `NOT_FOUND`.
            clock: time and waiting; the machine's own by default.
            breaker_store: keeps the breaker's state over a restart.
            stages: custom stages, run around each attempt.
            listeners: functions that get every event, and listeners of pybreaker's kind.
            log: as for `Policies`; it does not apply where `shared` is given.
            shared: parts that it shares with other pipelines; new ones by default. `Policies` passes it.
            keep_state: whether the parts keep their state when the policy's settings change. `Policies` passes it.

        Raises:
            PolicyError: the policy names a code table or a stage that does not exist.
            TypeError: a listener is neither a plain function of one event nor a listener of pybreaker's kind, or one of
                `stages` is not a `Stage`, or `breaker_store` is not a `BreakerStore`.
        """
        shared = shared or SharedState(clock, log=log, breaker_store=breaker_store)
        info = OperationInfo(
            operation=operation or policy.name,
            idempotent=idempotent,
            key=key,
            reconcile=reconcile,
            check_answers=True,
        )
        self._follow(
            PolicyCompiler(policy, shared, operation=operation, info=info, stages=stages, keep_state=keep_state)
        )
        for listener in listeners:
            shared.breakers.subscribe(listener)

    @classmethod
    def from_compiler(cls, compiler: Compiler) -> Pipeline:
        """Return a pipeline that calls and compiles by this compiler."""
        pipeline = cls.__new__(cls)
        pipeline._follow(compiler)
        return pipeline

    def _follow(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._apply: Callable[..., Any] | None = None
        self._apply_async: Callable[..., Any] | None = None

    def call(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call `fn(*args, **kwargs)` under the policy and return what it returns.

        Raises:
            RejectedError: the call was rejected before anything was sent.
            Exception: the function's own last error, unchanged except for one added note.
        """
        apply = self._apply
        if apply is None:
            apply = self._apply = self._compiler.compile_apply(asynchronous=False)
        result: T = apply(fn, *args, **kwargs)
        return result

    async def acall(self, fn: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Await `fn(*args, **kwargs)` under the policy and return its result; it raises what `call` raises."""
        apply = self._apply_async
        if apply is None:
            apply = self._apply_async = self._compiler.compile_apply(asynchronous=True)
        result: T = await apply(fn, *args, **kwargs)
        return result

    def compile(self, fn: Callable[P, T], info: OperationInfo | None = None) -> Callable[P, T]:
        """Return a function that calls `fn` under the policy; it is sync or async as `fn` is.

        Args:
            fn: the function.
            info: describes the operation; by default as the arguments of the pipeline say.

        Raises:
            TypeError: `fn` cannot be called, is a generator function, or lacks the key's parameter.
        """
        return self._compiler.compile(fn, info)

    def plan(self, fn: Callable[..., Any], info: OperationInfo) -> Plan:
        """Resolve this pipeline for one operation of a driver outside `_drivers`, such as a stream's."""
        return self._compiler.current.plan(fn, info)

    def describe(self) -> dict[str, Any]:
        """Return what this pipeline does, as plain data: settings, waits, and the breaker's state."""
        compiler = self._compiler.current
        policy, info, view = compiler.policy, compiler.info, compiler.view()
        described: dict[str, Any] = {
            "policy": policy.name,
            "operation": compiler.operation,
            "idempotent": info.idempotent,
            "key": info.key,
            "codes": list(policy.codes),
        }
        for stage in STAGES:
            described |= stage.describe(view)
        unknown = policy.unknown_errors
        return described | {
            "holds": compiler.shared.describe_holds(policy.name),
            "hold_max": policy.hold_max,
            "reconciled": info.reconcile is not None,
            "unknown_errors": {
                "category": str(unknown.category),
                "executed": unknown.executed,
                "max_attempts": unknown.max_attempts,
            },
            "classify_results": policy.classify_results,
            "timeline": timeline(policy, whole=info.reconcile is not None and not info.idempotent),
        }

    def __copy__(self) -> Pipeline:
        return self  # two would have two opinions of one service, and twice its quota

    def __deepcopy__(self, _memo: Any) -> Pipeline:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Pipeline.from_compiler, (self._compiler,)

    @property
    def compiler(self) -> PolicyCompiler:
        """The compiler of the policy that is in force."""
        return self._compiler.current

    @property
    def operation(self) -> str | None:
        """The operation's name, or None where each function brings its own."""
        return self._compiler.current.operation

    @property
    def policy(self) -> Policy:
        """The settings that are in force."""
        return self._compiler.current.policy

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The custom stages: those that the policy names, then those given to the pipeline."""
        return self._compiler.current.stages

    @property
    def breaker(self) -> Breaker | None:
        """The breaker of this pipeline's own calls, or None when the policy has none.

        Raises:
            LookupError: the policy has one for each host, operation or another key; `Policies.breakers` lists them.
        """
        compiler = self._compiler.current
        rules = compiler.policy.breaker
        if rules is not None and (rules.key is not None or compiler.shared.breakers.has_keys(compiler.policy.name)):
            name = compiler.policy.name
            raise LookupError(
                f"the breakers of policy {name!r} have keys: Policies.breakers({name!r}) lists them, and"
                f" Policies.isolate({name!r}) stops all of them"
            )
        return compiler.breaker

    @property
    def classifier(self) -> Classifier:
        """The classifier of this policy's errors."""
        compiler = self._compiler.current
        return compiler.shared.classifier(compiler.policy)

    @property
    def clock(self) -> Clock:
        """The clock that measures its deadlines and waits."""
        return self._compiler.current.shared.clock

    @property
    def shared(self) -> SharedState:
        """The parts that this pipeline shares with others of the same policies."""
        return self._compiler.current.shared
