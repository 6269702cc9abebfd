"""`@resilient`: a function of a bot under a policy, its name, types and documentation kept."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, overload

from .._core.call.idempotency_key import KeySlot
from .._core.call.operation_info import OperationInfo
from .._core.policy.policy import Policy
from .._pipeline.callables import check_callable, check_reconcile, is_async, name_of
from .policies import Policies, configured_policies
from .recompile import recompiled

__all__ = ["resilient"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def resilient(policy: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def resilient(
    policy: str | Policy = "default",
    *,
    operation: str | None = None,
    idempotent: bool | None = None,
    key: str | None = None,
    reconcile: Callable[..., Any] | None = None,
    policies: Policies | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def resilient(
    policy: Any = "default",
    *,
    operation: str | None = None,
    idempotent: bool | None = None,
    key: str | None = None,
    reconcile: Callable[..., Any] | None = None,
    policies: Policies | None = None,
) -> Any:
    """Put a function or method, sync or async, under a policy.

    The policy is looked up at the first call, so `configure` may come after the decoration.

    Args:
        policy: a policy's name, or a `Policy`; or the function itself in the bare form `@resilient`.
        operation: the operation's name in events and policies; the function's qualified name by default.
        idempotent: whether calling twice is harmless; None means a write, which is never blindly sent twice.
        key: keyword parameter that carries the idempotency key; made once per call when none is given.
        reconcile: looks a write in doubt up: `reconcile(call) -> Found(value) | NOT_FOUND`.
        policies: the policies to use instead of the configured ones.

    Raises:
        TypeError: what is decorated cannot be called, is a generator function, or takes no such key.

    Example:
        >>> @resilient(idempotent=True)
        ... def price(symbol: str) -> float:
        ...     return 42.0
        >>> price("BTCUSDT")
        42.0
    """
    if policies is not None and not isinstance(policies, Policies):
        raise TypeError(f"policies takes Policies, not {type(policies).__name__}")

    def decorate(fn: Any) -> Any:
        if isinstance(fn, (staticmethod, classmethod)):
            return type(fn)(decorate(fn.__func__))
        check_callable(fn)
        check_reconcile(fn, reconcile)
        if key is not None:
            KeySlot(key, fn, str)  # refuses a function that cannot carry it, here rather than at the first call
        name = operation or name_of(fn)
        asynchronous = is_async(fn)

        def build() -> Callable[..., Any]:
            found = policies or configured_policies()
            rule = found.rule_for(name)
            if key is None:
                found.note_keyless(name, fn)
            policy_named = rule.policy if rule is not None and policy == "default" else None
            info = OperationInfo(
                operation=name,
                idempotent=rule.idempotent if rule is not None and idempotent is None else idempotent,
                key=key or (rule.key if rule is not None else None),
                reconcile=reconcile,
                lane=None if rule is None else rule.lane,
            )
            return found.pipeline_now(policy_named or policy, name).compile(fn, info)

        kept = ("__dict__",) if inspect.isfunction(fn) else ()  # an object's own state is no mark on a function
        return wraps(fn, updated=kept)(recompiled(build, asynchronous=asynchronous))

    if isinstance(policy, (str, Policy)):
        return decorate
    fn, policy = policy, "default"
    return decorate(fn)
