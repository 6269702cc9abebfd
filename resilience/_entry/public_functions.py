"""Provides the public functions that use the configured policies by default: `resilient`, `wrap`, `failure_of`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from .._core.base.clock import Clock
from .._core.classify.attach import attached_failure, cancelled_call_behind
from .._core.classify.attributes import get
from .._core.classify.failure import Failure
from .._core.policy.policy import Policy
from .configured import (
    already_configured,
    configured_policies,
    load_built_in_needs,
    load_used,
    new_rules,
    policies_getter,
)
from .decorator import decorate
from .policies import Policies
from .wrap import check_client, wrap_client

if TYPE_CHECKING:
    from ..outbox import Outbox

__all__ = ["failure_of", "resilient", "wrap"]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


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
    key_factory: Callable[[], str] | None = None,
    policies: Policies | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def resilient(
    policy: Any = "default",
    *,
    operation: str | None = None,
    idempotent: bool | None = None,
    key: str | None = None,
    reconcile: Callable[..., Any] | None = None,
    key_factory: Callable[[], str] | None = None,
    policies: Policies | None = None,
) -> Any:
    """Put a function or method, sync or async, under a policy.

    The policy is looked up at the first call, so `configure` may come after the decoration.

    Args:
        policy: a policy's name, or a `Policy`; or the function itself in the bare form `@resilient`.
        operation: the operation's name in events and policies; the function's qualified name by default.
        idempotent: whether sending twice is harmless; None means a write, which is never blindly sent twice.
        key: keyword parameter that carries the idempotency key; a new key is made for each call that brings none.
        reconcile: looks up a write of uncertain outcome: `reconcile(call) -> Found(value) | NOT_FOUND`.
        key_factory: makes the keys instead of 32 hexadecimal digits: a function without arguments that returns a
            string which the API accepts. Needs `key`.
        policies: the policies to use instead of the configured ones.

    Raises:
        TypeError: the decorated object cannot be called, is a generator function, or takes no such key; the reconciler
            does not take exactly one argument; or there is a `key_factory` without a `key`.

    Example:
        >>> @resilient(idempotent=True)
        ... def price(symbol: str) -> float:
        ...     return 42.0
        >>> price("BTCUSDT")
        42.0
    """
    decorated = decorate(
        policy,
        policies_getter(policies),
        operation=operation,
        idempotent=idempotent,
        key=key,
        reconcile=reconcile,
        key_factory=key_factory,
    )
    load_used(policy, policies)
    return decorated


def wrap(
    client: C,
    policy: str = "default",
    *,
    operations: Mapping[str, Any] | None = None,
    policies: Policies | None = None,
    outbox: Outbox | None = None,
) -> C:
    """Return the client with every public method under a policy.

    Args:
        client: a `requests.Session`, an `httpx` client, an `aiohttp.ClientSession`, a `urllib3.PoolManager`, an
            exchange of ccxt, a `BitgetClient`, or any other object.
        policy: name of the policy for methods that no glob matches.
        operations: for each glob of method names a policy's name, or a mapping with any of `policy`, `idempotent`,
            `key`, `reconcile`, `lane` and `key_factory`. The first glob that matches counts.
        policies: the policies to use instead of the configured ones.
        outbox: records keyed writes before they are sent, so that a restarted bot finds them.

    Raises:
        TypeError: the client is a class, a function or None; `operations` has an unknown option; or an
            outbox is given for a plain HTTP client, whose arguments may hold credentials.
        PolicyError: a policy that is named does not exist. Before `configure` is called, the first call raises it.

    Example:
        >>> import requests
        >>> session = wrap(requests.Session(), "http")
        >>> isinstance(session, requests.Session)
        True
    """
    check_client(client)
    rules = new_rules(policy, operations, policies, outbox)
    known = policies or already_configured()
    if known is None:  # `configure` may come later, as for a client that is wrapped at import
        load_built_in_needs()
    else:
        rules.check_policies(known)
    return wrap_client(client, rules)


def _with_both_times(failure: Failure, clock: Clock) -> Failure:
    """Return the failure with the server's wish as an instant and as a duration, if it has either."""
    if failure.retry_after is not None and failure.retry_at is None:
        return replace(failure, retry_at=clock.time() + failure.retry_after)
    if failure.retry_at is not None and failure.retry_after is None:
        return replace(failure, retry_after=max(0.0, failure.retry_at - clock.time()))
    return failure


def _failure_of_its_answer(error: BaseException) -> Failure | None:
    """Return what a call recorded for the answer of which `raise_for_status` made this error, or None."""
    try:
        return attached_failure(get(error, "response"))
    except Exception:  # an object that refuses to be read
        return None


def failure_of(error: object) -> Failure:
    """Return the failure that a pipeline recorded for this error, or classify the error.

    The error that `raise_for_status` of requests or httpx raises has the failure of its response.

    An error that no pipeline has seen is classified by its type and by the code tables of the configured policies. The
    timeout that `asyncio.wait_for` or `asyncio.timeout` raises has the failure of the call that it cancelled.
    This function never raises for an error, or for a returned answer that is an error, whatever its type.

    Raises:
        TypeError: the argument is None, a string, a number or a class. The text of an error is not enough: it has lost
            the error's type and causes.

    Example:
        >>> failure_of(ConnectionRefusedError()).executed
        'no'
    """
    if error is None or isinstance(error, (str, bytes, bytearray, int, float, complex, type)):
        what = "None" if error is None else f"the class {error.__name__}" if isinstance(error, type) else repr(error)
        raise TypeError(f"failure_of takes an exception or an answer, not {what[:80]}: pass the exception itself")
    recorded = attached_failure(error)
    if recorded is None and isinstance(error, BaseException):
        recorded = cancelled_call_behind(error) or _failure_of_its_answer(error)
    if recorded is not None:
        return recorded
    policies = configured_policies()
    failure = policies.classifier.classify(error)
    return _with_both_times(failure, policies.clock)
