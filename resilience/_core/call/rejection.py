"""Rejects a first attempt. Nothing was sent: the caller gets one of our errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import CircuitOpenError, DeadlineExceededError
from ..classify.attach import attach_failure
from .attempt_gate import BREAKER_OPEN, EXPIRED, AttemptGate
from .plan import PermitOrGeneration, Plan

__all__ = ["acquire_permit", "reject_at_gate", "reject_expired", "reject_open_breaker"]


def acquire_permit(
    plan: Plan, outer: object, now: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> PermitOrGeneration:
    """Return the breaker's permit where it is not closed.

    Raises:
        CircuitOpenError: the breaker rejected the call.
    """
    assert plan.breaker is not None
    permit = plan.breaker.admit(now, high_priority=plan.high_priority(args, kwargs))
    plan.emit_breaker_events()
    if permit is None:
        raise _breaker_rejection(plan, outer, plan.breaker.ready_at(now))
    return permit


def reject_open_breaker(plan: Plan, outer: object, now: float) -> Exception:
    """Return the rejection of a call whose breaker is known to be open; it takes no lock of the breaker."""
    assert plan.breaker is not None
    return _report(plan, plan.new_rejection(CircuitOpenError, BREAKER_OPEN, plan.breaker.open_until, now), outer)


def reject_expired(plan: Plan, outer: object) -> Exception:
    """Return the rejection of a call whose outer deadline has passed already."""
    return _report(plan, plan.new_rejection(DeadlineExceededError, EXPIRED), outer)


def reject_at_gate(plan: Plan, gate: AttemptGate, outer: object) -> Exception:
    """Return the rejection of a call whose first attempt did not pass its gate, and drop the gate's reference to it."""
    rejection, gate.rejection = gate.rejection, None
    return _report(plan, rejection, outer)


def _breaker_rejection(plan: Plan, outer: object, ready: float) -> Exception:
    return _report(plan, plan.new_rejection(CircuitOpenError, BREAKER_OPEN, ready), outer)


def _report(plan: Plan, rejection: Any, outer: object) -> Exception:
    """Emit `call_rejected`, mark the error for an outer call, and return it."""
    if outer is not None:  # alone, a rejection needs no record: `attached_failure` makes it when it is read
        attach_failure(rejection, None, outer)
    if plan.events.listeners:
        plan.emit(
            "call_rejected",
            category="retryable",
            executed="no",
            retry_after=rejection.retry_after,
            caused_by=type(rejection).__name__,
            reason=rejection.reason,
        )
    assert isinstance(rejection, Exception)  # a subclass of the client's error base and of ours
    return rejection
