"""Reports the end of an attempt to the parts that calls share: the breaker and the quotas."""

from __future__ import annotations

from typing import Any

from ...errors import RejectedError
from ..classify.failure import Failure
from ..policy.codes import Category
from .plan import PermitOrGeneration, Plan

__all__ = ["hold_quotas", "is_rejection", "release_permit", "settle_permit"]

_TOO_MANY_REQUESTS = (418, 429)  # Binance answers 418 to a client that goes on after 429


def settle_permit(plan: Plan, permit: PermitOrGeneration | None, failure: Failure, outcome: Any, now: float) -> None:
    """Report a failed attempt to the breaker: retryable failures count, everything else is neutral.

    A rejected time stamp is a failure of our clock and not of the service.
    """
    if plan.breaker is not None and permit is not None:
        counts = failure.category is Category.RETRYABLE and failure.hint != "resync_clock"
        if counts and not is_rejection(outcome):
            plan.breaker.failed(permit, now, outcome)
        else:
            plan.breaker.released(permit)
    plan.emit_breaker_events()


def release_permit(plan: Plan, permit: PermitOrGeneration | None) -> None:
    """Report an attempt that was rejected or abandoned to the breaker: it counts nowhere."""
    if plan.breaker is not None and permit is not None:
        plan.breaker.released(permit)
    plan.emit_breaker_events()


def hold_quotas(plan: Plan, failure: Failure, now: float) -> None:
    """Hold the quotas when the API says that too much was sent, or for how long nothing may be sent.

    A broken connection has the hint of a backoff as well (a row of the table `http`), but too much was not sent.
    """
    if plan.quotas is None:
        return
    after, backoff = failure.retry_after, failure.hint == "backoff"
    if failure.http_status in _TOO_MANY_REQUESTS or (backoff and (after is not None or failure.registry != "http")):
        plan.quotas.hold(now, None if after is None else now + after)


def is_rejection(outcome: object) -> bool:
    """Return whether an outcome is one of our rejections."""
    # `issubclass` of the type, because a mock can claim to be an instance by its `__class__`.
    return issubclass(type(outcome), RejectedError)
