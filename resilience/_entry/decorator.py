"""Decorates functions so that their calls run under a policy; name, types and documentation are kept."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any

from .._core.call.idempotency_key import KeySlot
from .._core.call.operation_info import OperationInfo
from .._core.policy.policy import Policy
from .._core.policy.policy_set import OperationSettings
from .._pipeline.callables import check_callable, check_reconcile, checked_factory, is_async, name_of
from .recompile import recompiled

if TYPE_CHECKING:
    from .policies import Policies

__all__ = ["decorate"]


def decorate(
    policy: Any,
    get_policies: Callable[[], Policies],
    *,
    operation: str | None = None,
    idempotent: bool | None = None,
    key: str | None = None,
    reconcile: Callable[..., Any] | None = None,
    key_factory: Callable[[], str] | None = None,
) -> Any:
    """Return a decorator, or `policy` itself decorated where it is the function (the bare form).

    `get_policies` is called at the first call of the function and after each change of policies. The other arguments
    are those of `resilience.resilient`.
    """
    bare = not isinstance(policy, (str, Policy))
    chosen: str | Policy = "default" if bare else policy

    def decorated(fn: Any) -> Any:
        if isinstance(fn, (staticmethod, classmethod)):
            return type(fn)(decorated(fn.__func__))
        check_callable(fn)
        check_reconcile(fn, reconcile)
        make_key = None if key_factory is None else checked_factory(key_factory, key, name_of(fn))
        if key is not None:
            KeySlot(key, fn, str)  # rejects a function that cannot carry the key, here and not at the first call
        info = OperationInfo(
            operation=operation or name_of(fn),
            idempotent=idempotent,
            key=key,
            reconcile=reconcile,
            make_key=make_key,
            check_answers=True,
        )
        call = recompiled(lambda: _compile(fn, chosen, info, get_policies()), asynchronous=is_async(fn))
        # A callable object keeps its attributes for itself: only a function's `__dict__` is copied to the wrapper.
        return wraps(fn, updated=("__dict__",) if inspect.isfunction(fn) else ())(call)

    return decorated(policy) if bare else decorated


def _with_rule(info: OperationInfo, rule: OperationSettings) -> OperationInfo:
    """Add what a rule says and the decorator does not."""
    idempotent = rule.idempotent if info.idempotent is None else info.idempotent
    return replace(info, idempotent=idempotent, key=info.key or rule.key, lane=rule.lane)


def _compile(
    fn: Callable[..., Any], policy: str | Policy, info: OperationInfo, policies: Policies
) -> Callable[..., Any]:
    """Compile a decorated function by the rules in force; what the decorator says goes before them."""
    rule = policies.rule_for(info.operation)
    if info.key is None:
        policies.check_key_on_reload(info.operation, fn)
    if rule is not None:
        info = _with_rule(info, rule)
        if policy == "default":
            policy = rule.policy or policy
    return policies.current_pipeline(policy, info.operation).compile(fn, info)
