"""A first attempt that is refused: nothing was sent, and the caller gets one of our errors that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import CircuitOpenError, DeadlineExceededError
from ..classify.attach import attach_failure
from .attempt_gate import OPEN, POLL, AttemptGate
from .plan import PermitOrGeneration, Plan

__all__ = ["BreakerWait", "acquire_permit", "reject_at_gate", "reject_expired", "reject_open_breaker"]


def acquire_permit(
    plan: Plan, outer: object, now: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> PermitOrGeneration:
    """Ask the breaker outside the closed state.

    Raises:
        CircuitOpenError: the breaker refused the call.
    """
    assert plan.breaker is not None
    permit = plan.breaker.admit(now, high_priority=plan.high_priority(args, kwargs))
    plan.emit_breaker_events()
    if permit is None:
        raise _open(plan, outer, plan.breaker.ready_at(now))
    return permit


class BreakerWait:
    """A first attempt that waits for the breaker (`when_open: wait`): iterating gives the seconds of each wait.

    Attributes:
        permit: the breaker's leave, once the iteration has ended.
    """

    __slots__ = ("_deadline", "_high_priority", "_now", "_outer", "_plan", "permit")

    def __init__(self, plan: Plan, outer: object, now: float, deadline: float, *, high_priority: bool = False) -> None:
        self._plan = plan
        self._outer = outer
        self._now = now
        self._deadline = deadline
        self._high_priority = high_priority
        self.permit: PermitOrGeneration = 0

    def __iter__(self) -> Iterator[float]:
        """Wait until the breaker admits.

        Raises:
            CircuitOpenError: it will not do so before the deadline.
        """
        plan, breaker, clock, skipped = self._plan, self._plan.breaker, self._plan.clock, 0.0
        assert breaker is not None
        while True:
            permit = breaker.admit(self._now, high_priority=self._high_priority)
            plan.emit_breaker_events()
            if permit is not None:
                self.permit = permit
                return
            ready = breaker.ready_at(self._now)
            at = ready if ready > self._now else self._now + POLL
            if at >= self._deadline:
                raise _open(plan, self._outer, ready)
            yield at - self._now
            skipped = max(skipped, at - clock.monotonic())  # a wait that was cut short on purpose (tests do) is over
            self._now = clock.monotonic() + skipped


def reject_open_breaker(plan: Plan, outer: object, now: float) -> Exception:
    """Return the refusal of a call whose breaker is open and will be for a while: nobody need be asked."""
    assert plan.breaker is not None
    return _told(plan, plan.new_rejection(CircuitOpenError, OPEN, plan.breaker.open_until, now), outer)


def reject_expired(plan: Plan, outer: object) -> Exception:
    """Return the refusal of a call whose outer deadline has passed already."""
    return _told(plan, plan.new_rejection(DeadlineExceededError, "the deadline has passed, nothing was sent"), outer)


def _open(plan: Plan, outer: object, ready: float) -> Exception:
    return _told(plan, plan.new_rejection(CircuitOpenError, OPEN, ready), outer)


def reject_at_gate(plan: Plan, gate: AttemptGate, outer: object) -> Exception:
    """Return the refusal of a call whose first attempt did not pass its door, which lets go of it."""
    rejection, gate.rejection = gate.rejection, None
    return _told(plan, rejection, outer)


def _told(plan: Plan, rejection: Any, outer: object) -> Exception:
    if outer is not None:
        attach_failure(rejection, None, outer)
    if plan.events.listeners:
        plan.emit(
            "call_rejected",
            category="retryable",
            executed="no",
            retry_after=rejection.retry_after,
            caused_by=type(rejection).__name__,
        )
    assert isinstance(rejection, Exception)
    return rejection
