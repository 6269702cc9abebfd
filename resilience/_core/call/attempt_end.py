"""Reports the end of an attempt to the parts that calls share: the breaker, the quotas and the holds."""

from __future__ import annotations

from ...errors import RejectedError
from ..classify.failure import Failure
from ..policy.codes import Category
from ..stages.hold import Hold
from ..stages.quota import Quotas
from .operation_info import OperationInfo
from .plan import Plan

__all__ = [
    "apply_holds",
    "counts_as_failure",
    "is_rejection",
    "scope_of",
    "start_hold",
]

_BANNED = 418  # Binance answers it to a client that goes on after 429
_TOO_MANY_REQUESTS = (_BANNED, 429)
_WAIT = (429, 503)  # with a `Retry-After` they say for how long an operation is not served


def counts_as_failure(failure: Failure) -> bool:
    """Return whether a failure is one of the service, which a breaker counts.

    A rejected time stamp is a failure of our clock. A ban is our own doing, and the hold does the waiting.
    """
    ours = failure.hint in ("resync_clock", "hold") or failure.http_status == _BANNED
    return failure.category is Category.RETRYABLE and not ours


def apply_holds(plan: Plan, failure: Failure, now: float) -> None:
    """Keep the wait that a failure asks for: in the quotas, and for what it speaks of."""
    if plan.gate.quotas is not None:
        _hold_quotas(plan.gate.quotas, failure, now)
    start_hold(plan, failure, now)


def start_hold(plan: Plan, failure: Failure, now: float) -> None:
    """Keep the wait that a failure asks for, for all operations of which it speaks."""
    if failure.retry_after is None and failure.retry_at is None:
        return
    scope, wait = scope_of(failure, plan.info), _wait_of(failure, plan)
    if scope is None or wait <= 0:
        return
    info, limit = plan.info, plan.policy.hold_max
    hold = Hold(
        scope,
        info.host or "",
        info.account or "",
        info.operation,
        now + wait,
        "ban" if _is_ban(failure) else "retry_after",
        plan.policy.name,
        wait > limit,
    )
    if plan.gate.hold.start(now, hold):
        plan.emit(
            "hold_started",
            scope=scope,
            host=info.host,
            reason=hold.reason,
            code=failure.code,
            http_status=failure.http_status,
            retry_after=wait,
            until=plan.clock.time() + wait,
            hold_max=limit if hold.is_long else None,
        )


def scope_of(failure: Failure, info: OperationInfo) -> str | None:
    """Return what the wait concerns that a failure may ask for: `host`, `operation`, or None if it makes no hold.

    A ban concerns all operations of the host and account, and so does a limit of which the venue's data says so. Where
    neither host nor account is known, as for a decorated function, no other operation is known to lead there.
    """
    if _is_ban(failure) or failure.hold_scope == "host":
        return "host" if info.host or info.account else "operation"
    if failure.hold_scope is not None:
        return "operation"
    return "operation" if failure.http_status in _WAIT or failure.hint == "backoff" else None


def _is_ban(failure: Failure) -> bool:
    return failure.banned or failure.hint == "hold" or failure.http_status == _BANNED


def _wait_of(failure: Failure, plan: Plan) -> float:
    """Return the seconds for which the API asks to wait; 0 where it does not say."""
    if failure.retry_after is not None:
        return failure.retry_after
    return 0.0 if failure.retry_at is None else failure.retry_at - plan.clock.time()


def _hold_quotas(quotas: Quotas, failure: Failure, now: float) -> None:
    """Hold the quotas when the API says that too much was sent, or for how long nothing may be sent.

    A broken connection has the hint of a backoff as well (a row of the table `http`), but too much was not sent.
    """
    after, backoff = failure.retry_after, failure.hint == "backoff"
    if failure.http_status in _TOO_MANY_REQUESTS or (backoff and (after is not None or failure.registry != "http")):
        quotas.hold(now, None if after is None else now + after)


def is_rejection(outcome: object) -> bool:
    """Return whether an outcome is one of our rejections."""
    # `issubclass` of the type, because a mock can claim to be an instance by its `__class__`.
    return issubclass(type(outcome), RejectedError)
