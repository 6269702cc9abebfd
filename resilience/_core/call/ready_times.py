"""Decides from when breaker, holds and quotas let a retry be sent, and rejects one that they will not let through.

No wait is begun that ends at a breaker, a hold or a quota which still rejects: the caller gets the API's error at once.
"""

from __future__ import annotations

from ...errors import CircuitOpenError, QuotaExceededError
from .attempt_gate import BREAKER_OPEN, HELD, QUOTA_FULL
from .plan import Plan
from .steps import FailedCall

__all__ = ["breaker_rejection", "ready_by_breaker", "ready_by_holds", "ready_by_quotas", "waits_for_breaker"]


def waits_for_breaker(plan: Plan) -> bool:
    """Return whether a retry waits for an open breaker."""
    rules = plan.policy.breaker
    return rules is not None and rules.when_open != "reject"


def ready_by_breaker(plan: Plan, deadline: float, due: float, now: float) -> tuple[Exception | None, float]:
    """Return (rejection, instant): a retry that is due at an instant is sent then, later, or not at all."""
    ready = now if plan.breaker is None else plan.breaker.ready_at(now)
    if ready <= due:
        return None, due
    if waits_for_breaker(plan) and ready < deadline:
        return None, ready
    return breaker_rejection(plan, ready), due


def ready_by_holds(plan: Plan, deadline: float, due: float) -> tuple[Exception | None, float]:
    """Return (rejection, instant): a retry that is due at an instant is sent then, later, or not at all."""
    ready = plan.gate.hold.ready_at(due) if plan.gate.hold.current else due
    if ready <= due or plan.gate.fits_deadline(ready, deadline):
        return None, ready
    return plan.new_rejection(QuotaExceededError, HELD, ready, reason="hold"), due


def ready_by_quotas(plan: Plan, call: FailedCall, deadline: float, due: float) -> tuple[Exception | None, float]:
    """Return (rejection, instant): a retry that is due at an instant is sent then, later, or not at all."""
    # A forecast: nothing is paid yet, and the gate checks again when the retry is due.
    ready = plan.gate.quota_ready_at(due, call.args, call.kwargs)
    if ready <= due or plan.gate.fits_deadline(ready, deadline):
        return None, max(due, ready)
    return plan.new_rejection(QuotaExceededError, QUOTA_FULL, ready), due


def breaker_rejection(plan: Plan, ready: float) -> Exception:
    """Return the error of a breaker that is open until an instant."""
    return plan.new_rejection(CircuitOpenError, BREAKER_OPEN, ready)
