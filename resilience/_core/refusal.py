"""A first attempt that is refused: nothing was sent, and the caller gets one of our errors that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import CircuitOpenError, DeadlineExceededError
from .door import Door
from .failure import Failure
from .plan import Plan, Ticket
from .record import keep
from .registry import Category

__all__ = ["admitted", "out_of_time", "turned_away"]


def admitted(plan: Plan, outer: object, now: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Ticket:
    """Ask the breaker outside the closed state.

    Raises:
        CircuitOpenError: the breaker refused the call.
    """
    assert plan.breaker is not None
    ticket = plan.breaker.admit(now, urgent=plan.urgent(args, kwargs))
    plan.tell_breaker()
    if ticket is None:
        ready = plan.breaker.ready_at(now)
        raise _told(plan, plan.refusal(CircuitOpenError, "the circuit breaker is open", ready), outer)
    return ticket


def out_of_time(plan: Plan, outer: object) -> Exception:
    """Return the refusal of a call whose outer deadline has passed already."""
    return _told(plan, plan.refusal(DeadlineExceededError, "the deadline has passed, nothing was sent"), outer)


def turned_away(plan: Plan, door: Door, outer: object) -> Exception:
    """Return the refusal of a call whose first attempt did not pass its door, which lets go of it."""
    refusal, door.refusal = door.refusal, None
    return _told(plan, refusal, outer)


def _told(plan: Plan, refusal: Any, outer: object) -> Exception:
    failure = Failure(
        Category.RETRYABLE,
        executed="no",
        retry_after=refusal.retry_after,
        retry_at=refusal.retry_at,
        remedy="Nothing was sent; try again later",
        attempts=0,
        operation=plan.operation,
    )
    keep(refusal, failure, outer)
    plan.tell(
        "call_rejected",
        category=str(failure.category),
        executed="no",
        retry_after=failure.retry_after,
        caused_by=type(refusal).__name__,
    )
    assert isinstance(refusal, Exception)
    return refusal
