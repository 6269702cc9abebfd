"""Rejects a first attempt. Nothing was sent: the caller gets one of our errors."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from ...errors import CircuitOpenError, DeadlineExceededError, RejectedError
from ..classify.attach import attach_failure
from ..stages.breaker import Breaker
from .attempt_gate import BREAKER_OPEN, EXPIRED, AttemptGate
from .failure_report import cancelled_failure
from .plan import Plan
from .rejection_factory import Template
from .steps import FailedCall

__all__ = [
    "open_breaker_rejections",
    "record_unsent",
    "reject_at_gate",
    "reject_expired",
    "reject_key_in_use",
]

_KEY_IN_USE = "another call with this key is under way, nothing was sent"


def open_breaker_rejections(plan: Plan) -> Callable[[Breaker, object, float], Exception]:
    """Return a function of (breaker, outer context, now) that rejects a call whose breaker is known to be open.

    While a breaker is open, this is all that a call costs. It takes no lock of the breaker.
    """
    events, counts, time, monotonic = plan.events, plan.counts, plan.clock.time, plan.clock.monotonic
    rejected = counts.numbers("rejected")
    template: Template | None = None

    def reject(breaker: Breaker, outer: object, now: float) -> Exception:
        nonlocal template
        next(breaker.refusals)
        next(rejected)
        if counts.ok_durations is not None:
            ended = monotonic()
            counts.add_duration("rejected", ended - now, ended)
        if template is None:
            template = plan.rejections.template(CircuitOpenError, BREAKER_OPEN)
        new, fields = template
        rejection, wait = new(), breaker.rejects_until - now
        rejection.__dict__ = fields = fields.copy()  # each caller's own times, and notes that it may add
        if 0.0 < wait < inf:
            fields["retry_after"] = wait
            fields["retry_at"] = time() + wait
        elif wait != inf:  # it has been closed meanwhile
            fields["retry_after"], fields["retry_at"] = 0.0, time()
        if outer is not None or events.listeners:
            _announce(plan, rejection, outer)
        return rejection

    return reject


def reject_expired(plan: Plan, outer: object) -> Exception:
    """Return the rejection of a call whose outer deadline has passed already."""
    return _report(plan, plan.new_rejection(DeadlineExceededError, EXPIRED), outer)


def reject_key_in_use(plan: Plan, outer: object) -> Exception:
    """Return the rejection of a call whose key another call under way has."""
    return _report(plan, plan.new_rejection(RejectedError, _KEY_IN_USE), outer)


def reject_at_gate(plan: Plan, gate: AttemptGate, outer: object) -> Exception:
    """Return the rejection of a call whose first attempt did not pass its gate, and drop the gate's reference to it."""
    rejection, gate.rejection = gate.rejection, None
    if plan.breaker is not None and getattr(rejection, "reason", None) == CircuitOpenError.reason:
        next(plan.breaker.refusals)
    return _report(plan, rejection, outer, gate.began)


def record_unsent(plan: Plan, key: str | None, error: BaseException, outer: object, began: float = 0.0) -> None:
    """Record on a cancellation that the call, begun then, was still waiting for its first attempt: nothing was sent."""
    if not isinstance(error, Exception):
        plan.count_end("cancelled", began)
        call = FailedCall(plan.operation, (), {}, key)
        attach_failure(error, cancelled_failure(plan, call, maybe_executed=False, attempts=0), outer, gave_up=False)


def _report(plan: Plan, rejection: Any, outer: object, began: float | None = None) -> Exception:
    """Count the rejection, emit `call_rejected`, mark the error for an outer call, and return it."""
    plan.count_end("rejected", plan.clock.monotonic() if began is None else began)
    _announce(plan, rejection, outer)
    assert isinstance(rejection, Exception)  # a subclass of the client's error base and of ours
    return rejection


def _announce(plan: Plan, rejection: Any, outer: object) -> None:
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
