"""Completes the `Failure` of an attempt, and that of a call as its caller gets it.

An attempt's `executed` is its own. A call's covers all of its attempts: once an attempt may have been executed, a later
one that certainly was not changes nothing about that.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..classify.attributes import get
from ..classify.failure import Failure, changed
from ..policy.codes import Category, Executed

if TYPE_CHECKING:
    from .plan import Plan
    from .steps import FailedCall

_TOO_MANY_REQUESTS = 429
_LIMIT_AFTER_ACCEPTANCE = frozenset(
    {
        "okx",
        "okxus",
        "myokx",
        "bybit",
        "bybiteu",
        "www.okx.com",
        "us.okx.com",
        "eea.okx.com",
        "api.bybit.com",
        "api.bybit.eu",
    }
)
"""Venues, by ccxt's id and by host, whose 429 can follow the acceptance of an order: without a code of their own it
proves nothing. Source: the rate limit pages of both APIs.
"""
_DECLARE = "declare `idempotent: true` where doing it twice is harmless, or a key and a lookup, and it is sent again"

__all__ = ["attempt_failure", "call_failure", "cancelled_failure", "caused_by", "failure_of_inner_call"]


def attempt_failure(plan: Plan, outcome: object) -> Failure:
    """Classify one attempt's outcome, the client's own table first; waits are completed by our clock."""
    failure = plan.classifier.classify(outcome, registry=plan.info.registry)
    has_time = failure.retry_after is not None or failure.retry_at is not None
    if not (has_time or plan.info.read or failure.http_status == _TOO_MANY_REQUESTS):
        return failure
    changes: dict[str, Any] = {}
    if failure.http_status == _TOO_MANY_REQUESTS and failure.proof == "likely" and _limits_late(plan):
        changes |= {"executed": "maybe", "proof": "none"}
    # A ban answers the client and not its request: even of a read it says that nothing was carried out.
    if plan.info.read and failure.executed != "n_a" and not (failure.executed == "no" and failure.hint == "hold"):
        changes |= {"executed": "n_a", "proof": "none"}  # a read has no effect that could be uncertain
    if failure.retry_after is not None and failure.retry_at is None:
        changes["retry_at"] = plan.clock.time() + failure.retry_after
    elif failure.retry_at is not None and failure.retry_after is None:
        changes["retry_after"] = max(0.0, failure.retry_at - plan.clock.time())
    return changed(failure, **changes) if changes else failure


def failure_of_inner_call(plan: Plan, outcome: object, inner: Failure) -> Failure:
    """Return the `Failure` that an inner call recorded; a group is uncertain if the inner call is."""
    if not isinstance(outcome, BaseExceptionGroup):
        return inner
    whole = attempt_failure(plan, outcome)
    return changed(whole, executed="maybe", proof="none") if inner.executed == "maybe" else whole


def _limits_late(plan: Plan) -> bool:
    return not _LIMIT_AFTER_ACCEPTANCE.isdisjoint((plan.info.venue, plan.info.host))


def call_failure(
    failure: Failure,
    call: FailedCall,
    plan: Plan,
    outcome: object = None,
    *,
    maybe_executed: bool,
    looked_up: bool,
    **changes: Any,
) -> Failure:
    """Return the failure that the caller gets.

    Args:
        failure: the last attempt's failure.
        call: the call.
        plan: its plan.
        outcome: the last attempt's error or answer, which may bring its own `resilience_remedy`.
        maybe_executed: some attempt may have been executed, or still may be.
        looked_up: uncertain attempts were looked up; those that are not `maybe_executed` were not executed.
        changes: further fields of it, in place of what the call says.
    """
    executed = failure.executed
    if not plan.info.read:
        executed = "maybe" if maybe_executed else "no" if looked_up else executed
    # A duplicate key is left out below: its rule's own remedy says how to find the order.
    own_remedy = get(outcome, "resilience_remedy")
    remedy = failure.remedy
    if isinstance(own_remedy, str):
        remedy = own_remedy
    elif executed == "maybe" and not plan.idempotent and not failure.duplicate:
        remedy = _how_to_find(call) if call.key or not remedy else remedy
        if failure.category is Category.RETRYABLE and call.key is None and plan.info.reconcile is None:
            remedy = f"{remedy}; {_DECLARE}"
    elif executed == "no" and failure.executed == "maybe":
        remedy = "It did not happen; it may be sent again"
    values: dict[str, Any] = {
        "attempts": call.attempt, "operation": plan.operation, "key": call.key, "sent_at": call.sent_at,
        "remedy": remedy,
    }  # fmt: skip
    if executed != failure.executed:
        values |= {"executed": executed, "proof": "proven" if executed == "no" else "none"}
    values |= changes
    return changed(failure, **values)


def cancelled_failure(plan: Plan, call: FailedCall, *, maybe_executed: bool, attempts: int) -> Failure:
    """Return the failure of a call that was cancelled from outside.

    Args:
        plan: its plan.
        call: the call.
        maybe_executed: an attempt was under way, or may have been executed.
        attempts: number of attempts, the one under way included.
    """
    executed: Executed = "n_a" if plan.info.read else "maybe" if maybe_executed else "no"
    harmless = plan.idempotent or not maybe_executed
    remedy = "It was cancelled; it may be sent again" if harmless else _how_to_find(call)
    return Failure(
        Category.RETRYABLE if harmless else Category.FATAL,
        executed=executed,
        proof="proven" if executed == "no" else "none",
        remedy=remedy,
        attempts=attempts,
        operation=plan.operation,
        key=call.key,
        sent_at=call.sent_at,
    )


def _how_to_find(call: FailedCall) -> str:
    since = "" if call.sent_at is None else f" since {_utc(call.sent_at)}"
    what = f"key {call.key}" if call.key else "this request"
    return f"It may have happened: look for {what}{since} before sending it again"


def _utc(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):  # a stamp in milliseconds, or one of a test clock
        return f"{seconds:.0f}"


def caused_by(outcome: object) -> str | None:
    """Return the class of an error as `package.Class`; never its text, which may hold secrets."""
    if outcome is None:
        return None
    kind = type(outcome)
    package = str(getattr(kind, "__module__", "")).partition(".")[0]
    return kind.__name__ if package in ("builtins", "") else f"{package}.{kind.__name__}"
