"""A policy made to run: functions compiled under it, with the parts that it shares with others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from inspect import isawaitable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from .._core.base.clock import Clock
from .._core.call.operation_info import OperationInfo
from .._core.call.plan import Plan
from .._core.call.stage import Stage
from .._core.call.stage_plugins import stages_of
from .._core.call.timeline import attempts_of, describe_rules, timeline, waits_of
from .._core.classify.classifier import Classifier
from .._core.policy.policy import Policy
from .._core.stages.breaker import Breaker
from .._core.stages.retry import Schedule
from .._drivers.async_ import compile_async
from .._drivers.fallback import fall_back_async, fall_back_sync
from .._drivers.hedging import hedge_async, hedge_sync
from .._drivers.sync import compile_sync
from .callables import check_callable, check_reconcile, is_async, name_of, route_calls
from .custom_stages import async_reconciler, stage_async, stage_sync
from .limit_pool import pays
from .shared_state import SharedState, check_codes

if TYPE_CHECKING:
    pass

__all__ = ["Pipeline"]

P = ParamSpec("P")
T = TypeVar("T")
_GENERATORS = (GeneratorType, AsyncGeneratorType)
_BREAKER = -1
_NO_KEYS: Mapping[int, str] = {}


class Pipeline:
    """A policy with its running parts. Safe across threads, tasks and event loops.

    Example:
        >>> from resilience import Policy
        >>> Pipeline(Policy(retry={"max_attempts": 3})).call(len, "abc")
        3
    """

    def __init__(
        self,
        policy: Policy,
        *,
        operation: str | None = None,
        idempotent: bool | None = None,
        key: str | None = None,
        reconcile: Callable[..., Any] | None = None,
        clock: Clock | None = None,
        stages: Sequence[Stage] = (),
        listeners: Sequence[Any] = (),
        shared: SharedState | None = None,
        keep: bool = False,
    ) -> None:
        """Build the parts once.

        Args:
            policy: the settings.
            operation: name for functions that bring none.
            idempotent: whether sending twice is harmless; None means a write.
            key: parameter that carries the idempotency key, such as `client_id` or `params.clientOid`.
            reconcile: looks a write in doubt up; returns `Found(...)` or `NOT_FOUND`.
            clock: time and waiting; the machine's own by default.
            stages: parts of your own, asked before each attempt and told how it ended.
            listeners: functions that get every event, and listeners of pybreaker's kind.
            shared: parts shared with other pipelines; made anew by default.
            keep: the policy is that of a file: parts of its name go on under it, whatever their settings were.

        Raises:
            PolicyError: the policy names a code table that is not there.
        """
        self.policy = policy
        self.operation = operation
        self._shared = shared or SharedState(clock)
        self._keep = keep
        check_codes(policy, self._shared.tables)
        for one in listeners:
            self._shared.breakers.subscribe(one)
        self.stages = (*stages_of(policy), *stages)
        self._binding = OperationInfo(
            operation=operation or policy.name, idempotent=idempotent, key=key, reconcile=reconcile
        )
        self._calls: dict[bool, Callable[..., Any]] = {}

    def call(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call `fn(*args, **kwargs)` under the policy and return what it returns.

        Raises:
            RejectedError: refused before sending.
            Exception: the function's own last error, unchanged but for one note.
        """
        run = self._calls.get(False)
        if run is None:
            run = self._calls[False] = self._routed(_apply, self._binding, skip=1)
        result: T = run(fn, *args, **kwargs)
        return result

    async def acall(self, fn: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Await `fn(*args, **kwargs)` under the policy; errors as for `call`."""
        run = self._calls.get(True)
        if run is None:
            run = self._calls[True] = self._routed(_aapply, self._binding, skip=1)
        result: T = await run(fn, *args, **kwargs)
        return result

    def compile(self, fn: Callable[P, T], info: OperationInfo | None = None) -> Callable[P, T]:
        """Return `fn` under the policy, sync or async as it is.

        Raises:
            TypeError: `fn` cannot be called, is a generator function, or lacks the key's parameter.
        """
        check_callable(fn)
        return self._routed(fn, info or replace(self._binding, operation=self.operation or name_of(fn)))

    def plan(self, fn: Callable[..., Any], info: OperationInfo) -> Plan:
        """Resolve this pipeline for one operation, for drivers of another kind: a stream's supervisor."""
        return self._plan(fn, info, _NO_KEYS, 0)

    @property
    def breaker(self) -> Breaker | None:
        """The breaker of this pipeline's own calls, or None when the policy has none."""
        return self._shared.breakers.get(self.policy, self._breaker_key(self._binding), keep=self._keep)

    def describe(self) -> dict[str, Any]:
        """Return what this pipeline does, as plain data: settings, waits, and the breaker's state."""
        policy, breaker, info = self.policy, self.breaker, self._binding
        return {
            "policy": policy.name,
            "operation": self.operation,
            "idempotent": info.idempotent,
            "key": info.key,
            "codes": list(policy.codes),
            "deadline": policy.deadline,
            "attempt_timeout": policy.attempt_timeout,
            "max_attempts": attempts_of(policy),
            "waits": [{"least": low, "longest": high} for low, high in waits_of(policy)],
            "budget": None if policy.budget is None else {"ratio": policy.budget.ratio, "floor": policy.budget.floor},
            "breaker": None if breaker is None else {**breaker.describe(), "keyed_by": _key_kind(policy)},
            **self._shared.limits.describe(policy, info, self.clock),
            "reconciled": info.reconcile is not None,
            **describe_rules(policy, info),
            "timeline": timeline(policy, whole=info.reconcile is not None and not info.idempotent),
        }

    @property
    def classifier(self) -> Classifier:
        """What sorts this policy's errors."""
        return self._shared.classifier(self.policy)

    @property
    def clock(self) -> Clock:
        """The time it goes by."""
        return self._shared.clock

    def _routed(self, fn: Callable[..., Any], info: OperationInfo, skip: int = 0) -> Callable[..., Any]:
        """Compile `fn`; functions that tell a breaker's or a quota's key are asked with all but the first arguments."""
        asked = dict(self._asked(info.operation))
        if not asked:
            return self._make(fn, info, _NO_KEYS, skip)
        return route_calls(
            lambda args, kwargs: tuple(str(one(*args[skip:], **kwargs)) for one in asked.values()),
            lambda names: self._make(fn, info, dict(zip(asked, names, strict=True)), skip),
            asynchronous=is_async(fn),
        )

    def _asked(self, operation: str) -> Iterator[tuple[int, Callable[..., str]]]:
        """Give the functions that tell keys: the breaker's under `_BREAKER`, a quota's under its place."""
        rules = self.policy.breaker
        if rules is not None and callable(rules.key):
            yield _BREAKER, rules.key
        for place, one in enumerate(self.policy.quota):
            if callable(one.key) and pays(one, operation):
                yield place, one.key

    def _make(
        self, fn: Callable[..., Any], info: OperationInfo, keys: Mapping[int, str], skip: int
    ) -> Callable[..., Any]:
        check_reconcile(fn, info.reconcile)
        if info.reconcile is not None and is_async(fn):
            info = replace(info, reconcile=async_reconciler(info.reconcile))
        plan, stages = self._plan(fn, info, keys, skip), self.stages
        asynchronous, hedge = is_async(fn), self.policy.hedge
        if asynchronous:
            call = compile_async(plan, stage_async(fn, stages) if stages else fn)
        else:
            call = compile_sync(plan, stage_sync(fn, stages) if stages else fn)
        if hedge is None and self.policy.fallback is None:
            return call
        memory = self._shared.memory_of(fn, (self.policy.name, info.operation, *keys.items()))
        if hedge is not None and plan.idempotent and not info.send_once and (asynchronous or hedge.threads):
            call = hedge_async(plan, call, memory) if asynchronous else hedge_sync(plan, call, memory)
        if self.policy.fallback is not None:
            call = fall_back_async(plan, call, memory) if asynchronous else fall_back_sync(plan, call, memory)
        return call

    def _plan(self, fn: Callable[..., Any], info: OperationInfo, keys: Mapping[int, str], skip: int) -> Plan:
        policy, shared = self.policy, self._shared
        schedule: list[Schedule] = []

        def make_schedule() -> Schedule | None:
            if policy.retry is not None and not info.send_once and not schedule:
                schedule.append(Schedule(policy.retry, shared.random))
            return schedule[0] if schedule else None

        plan = Plan(
            policy,
            info,
            fn,
            clock=shared.clock,
            events=shared.events,
            classifier=lambda: shared.classifier(policy),
            schedule=make_schedule,
            breaker=shared.breakers.get(policy, keys.get(_BREAKER, self._breaker_key(info)), keep=self._keep),
            budget=shared.budget(policy, keep=self._keep),
            make_key=shared.make_key,
            quotas=shared.limits.quotas(policy, info, keys, keep=self._keep),
            admission=shared.limits.admission(policy),
            skip=skip,
        )
        if self._keep:
            shared.reapply(policy)
        return plan

    def _breaker_key(self, info: OperationInfo) -> str:
        rules = self.policy.breaker
        kind = rules.key if rules is not None else None
        if kind == "operation":
            return info.operation
        return (info.account if kind == "account" else info.host) or ""


def _key_kind(policy: Policy) -> str | None:
    key = None if policy.breaker is None else policy.breaker.key
    return "function" if callable(key) else key


def _apply(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    result = fn(*args, **kwargs)
    if type(result) in _GENERATORS:
        check_callable(fn)  # a generator that an ordinary function returns is that function's own affair
    return result


async def _aapply(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    result = fn(*args, **kwargs)
    if type(result) is not CoroutineType and not isawaitable(result):
        check_callable(fn)
        raise TypeError(f"{name_of(fn)}() returned a {type(result).__name__} and nothing to await: use call, not acall")
    return await result
