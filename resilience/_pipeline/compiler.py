"""Compiles functions under one policy, with the breakers, budgets and limits that its calls share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ParamSpec, Protocol, TypeVar

from .._core.base.deprecation import warn_safely
from .._core.call.driver_plan import FindBreaker
from .._core.call.operation_info import OperationInfo
from .._core.call.plan import Plan
from .._core.call.stage import Stage
from .._core.call.stage_plugins import check_stages, stages_of
from .._core.policy.policy import Policy
from .._core.stages.breaker import Breaker
from .._core.stages.built_in_stage import StageView
from .._core.stages.retry import Schedule
from ..config.checks.deprecated_settings import deprecated_settings
from .apply import apply, apply_async
from .call_assembly import assemble_call
from .callables import check_callable, check_reconcile, is_async, name_of, route_calls
from .classifiers import check_codes
from .failure_needs import load_needs, load_tables
from .fresh_reads import as_lookup
from .keyed_breakers import breaker_finder
from .limit_pool import consumes
from .own_answers import expect_responses
from .shared_state import SharedState
from .stage_inputs import stage_view

__all__ = ["Compiler", "PolicyCompiler"]

P = ParamSpec("P")
T = TypeVar("T")
_BREAKER = -1
"""The number of the breaker among a policy's key functions; those of quotas go by the index of their entry."""
_NO_KEYS: Mapping[int, str] = {}


class Compiler(Protocol):
    """Compiles functions for a `Pipeline`: a `PolicyCompiler`, or one that follows a reloaded policy file."""

    @property
    def current(self) -> PolicyCompiler:
        """The compiler of the policy that is in force."""

    def compile(self, fn: Callable[P, T], info: OperationInfo | None = None) -> Callable[P, T]:
        """Return `fn` under the policy."""

    def compile_apply(self, *, asynchronous: bool) -> Callable[..., Any]:
        """Return a function that calls its first argument with the others, under the policy."""


class PolicyCompiler:
    """Compiles functions under one policy. Safe across threads, tasks and event loops."""

    def __init__(
        self,
        policy: Policy,
        shared: SharedState,
        *,
        operation: str | None,
        info: OperationInfo,
        stages: Sequence[Stage],
        keep_state: bool,
    ) -> None:
        """Check the policy and make its custom stages.

        Args:
            policy: the settings.
            shared: clock, events, breakers, budgets and limits.
            operation: the operation's name; None names each compiled function by itself.
            info: the operation of `compile_apply`, and of functions that are compiled without an `OperationInfo`.
            stages: custom stages beside those that the policy names.
            keep_state: the policy is that of a file: parts of its name keep their state when its settings change.

        Raises:
            PolicyError: the policy names a code table or a stage that does not exist.
            TypeError: one of `stages` is no `Stage`.
        """
        check_stages(stages)
        check_codes(policy, shared.tables)
        for (path, *_), message in deprecated_settings(policy):
            warn_safely(f"{policy.name}: {path}: {message}")  # safely: a reload compiles in a running program
        if not keep_state:
            shared.isolations.take_policy(policy)
        self.policy = policy
        self.operation = operation
        self.info = info
        self.shared = shared
        self.stages = (*stages_of(policy), *stages)
        self._keep_state = keep_state
        self._apply_calls: dict[bool, Callable[..., Any]] = {}

    @property
    def current(self) -> PolicyCompiler:
        """This compiler; see `Compiler`."""
        return self

    @property
    def breaker(self) -> Breaker | None:
        """The breaker of calls by `compile_apply`, or None when the policy has none."""
        return self._breaker(self.info, _NO_KEYS)

    def view(self) -> StageView:
        """Return what the stages of calls by `compile_apply` describe."""
        return stage_view(self.policy, self.info, self.shared, self.breaker)

    def compile(self, fn: Callable[P, T], info: OperationInfo | None = None) -> Callable[P, T]:
        """Return `fn` under the policy, sync or async as it is."""
        check_callable(fn)
        return self._compile_routed(fn, info or replace(self.info, operation=self.operation or name_of(fn)))

    def compile_apply(self, *, asynchronous: bool) -> Callable[..., Any]:
        """Return a function that calls its first argument with the others, under the policy. Compiled once."""
        call = self._apply_calls.get(asynchronous)
        if call is None:
            fn = apply_async if asynchronous else apply
            call = self._apply_calls[asynchronous] = self._compile_routed(fn, self.info, skip=1)
        return call

    def plan(
        self,
        fn: Callable[..., Any],
        info: OperationInfo,
        keys: Mapping[int, str] = _NO_KEYS,
        skip: int = 0,
        *,
        breaker_by_call: bool = False,
    ) -> Plan:
        """Resolve the policy for one operation.

        Args:
            fn: the function to call.
            info: the operation.
            keys: what the policy's key functions returned, by their number.
            skip: how many of the first positional arguments are not the operation's own.
            breaker_by_call: each call finds its breaker, so that the plan has none.
        """
        policy, shared = self.policy, self.shared
        load_needs(policy, shared)
        load_tables(info.registry)
        schedule: list[Schedule] = []

        def make_schedule() -> Schedule | None:
            # A closure, because a plan that never fails needs no schedule.
            if policy.retry is not None and not info.send_once and not schedule:
                schedule.append(Schedule(policy.retry, shared.random))
            return schedule[0] if schedule else None

        plan = Plan(
            policy,
            info,
            fn,
            clock=shared.clock,
            events=shared.events,
            classifier=shared.classifier_of(policy),
            schedule=make_schedule,
            breaker=None if breaker_by_call else self._breaker(info, keys),
            budget=shared.budget(policy, keep_state=self._keep_state),
            make_key=shared.make_key,
            quotas=shared.limits.quotas(policy, info, keys, keep_state=self._keep_state),
            admission=shared.limits.admission(policy),
            hold=shared.holds.of(info.host, info.account, info.operation, policy.name),
            counts=shared.counts.of(policy.name, info.operation),
            unsettled=shared.unsettled,
            skip=skip,
        )
        if self._keep_state:
            shared.reapply(policy)  # a reload may have come in between and given the parts newer settings
        return plan

    def _compile_routed(self, fn: Callable[..., Any], info: OperationInfo, skip: int = 0) -> Callable[..., Any]:
        """Compile `fn`, once for each combination of keys that need a call of their own.

        These are the keys of quotas, and those of breakers where a stage keeps something for each of them. Key
        functions get the arguments of each call without the first `skip`.
        """
        functions, find = dict(self._key_functions(info.operation)), None
        if _BREAKER in functions and not self._keeps_by_key:
            find = breaker_finder(functions.pop(_BREAKER), skip, self._breaker_getter())
        if not functions:  # the usual case, which pays for no routing
            return self._compile(fn, info, _NO_KEYS, skip, find)
        return route_calls(
            lambda args, kwargs: tuple(str(function(*args[skip:], **kwargs)) for function in functions.values()),
            lambda keys: self._compile(fn, info, dict(zip(functions, keys, strict=True)), skip, find),
            asynchronous=is_async(fn),
        )

    @property
    def _keeps_by_key(self) -> bool:
        """Whether a stage keeps answers or durations apart for each key of the breaker."""
        policy = self.policy
        return policy.fallback is not None or policy.cache is not None or policy.hedge is not None

    def _key_functions(self, operation: str) -> Iterator[tuple[int, Callable[..., str]]]:
        """Yield the policy's key functions with their numbers: `_BREAKER`, or the index of a quota entry."""
        rules = self.policy.breaker
        if rules is not None and callable(rules.key):
            yield _BREAKER, rules.key
        for index, quota in enumerate(self.policy.quota):
            if callable(quota.key) and consumes(operation, quota):
                yield index, quota.key

    def _compile(
        self,
        fn: Callable[..., Any],
        info: OperationInfo,
        keys: Mapping[int, str],
        skip: int,
        find: FindBreaker | None,
    ) -> Callable[..., Any]:
        asynchronous = is_async(fn)
        check_reconcile(fn, info.reconcile)
        if info.reconcile is not None:
            info = replace(info, reconcile=as_lookup(info.reconcile, asynchronous=asynchronous))
        plan = self.plan(fn, expect_responses(info), keys, skip, breaker_by_call=find is not None)
        return assemble_call(plan, fn, self.shared, self.stages, keys, find, skip=skip, asynchronous=asynchronous)

    def _breaker_getter(self) -> Callable[[str], Breaker | None]:
        """Return a function that returns the one breaker of a key."""
        policy, shared = self.policy, self.shared
        if not self._keep_state:
            return shared.breakers.getter(policy)

        def get(key: str) -> Breaker | None:
            breaker = shared.breakers.get(policy, key, keep_state=True)
            shared.reapply(policy)  # as for a plan
            return breaker

        return get

    def _breaker(self, info: OperationInfo, keys: Mapping[int, str]) -> Breaker | None:
        rules = self.policy.breaker
        kind = None if rules is None else rules.key
        if _BREAKER in keys:
            key = keys[_BREAKER]
        elif kind == "operation":
            key = info.operation
        else:
            key = (info.account if kind == "account" else info.host) or ""
        return self.shared.breakers.get(self.policy, key, keep_state=self._keep_state)
