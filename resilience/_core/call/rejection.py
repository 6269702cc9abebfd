"""Rejects a first attempt, or waits for the breaker before it. Nothing was sent: the caller gets one of our errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import CircuitOpenError, DeadlineExceededError, RejectedError
from ..classify.attach import attach_failure
from .attempt_gate import BREAKER_OPEN, POLL_INTERVAL, AttemptGate
from .failure_report import cancelled_failure
from .plan import PermitOrGeneration, Plan
from .steps import FailedCall

__all__ = [
    "BreakerWait",
    "acquire_permit",
    "record_unsent",
    "reject_at_gate",
    "reject_expired",
    "reject_key_in_use",
    "reject_open_breaker",
]

_KEY_IN_USE = "another call with this key is under way, nothing was sent"
_EXPIRED = "the deadline has passed, nothing was sent"


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


class BreakerWait:
    """A first attempt that waits for the breaker (`when_open: wait`): iterating gives the seconds of each wait.

    Attributes:
        permit: the breaker's permit, once the iteration has ended.
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
        plan, breaker, clock, time_ahead = self._plan, self._plan.breaker, self._plan.clock, 0.0
        assert breaker is not None
        while True:
            permit = breaker.admit(self._now, high_priority=self._high_priority)
            plan.emit_breaker_events()
            if permit is not None:
                self.permit = permit
                return
            ready = breaker.ready_at(self._now)
            due = ready if ready > self._now else self._now + POLL_INTERVAL
            if due >= self._deadline:
                raise _breaker_rejection(plan, self._outer, ready)
            yield due - self._now
            time_ahead = max(time_ahead, due - clock.monotonic())  # a test clock may cut the wait short
            self._now = clock.monotonic() + time_ahead


def reject_open_breaker(plan: Plan, outer: object, now: float) -> Exception:
    """Return the rejection of a call whose breaker is known to be open; it takes no lock of the breaker."""
    assert plan.breaker is not None
    return _report(plan, plan.new_rejection(CircuitOpenError, BREAKER_OPEN, plan.breaker.open_until, now), outer)


def reject_expired(plan: Plan, outer: object) -> Exception:
    """Return the rejection of a call whose outer deadline has passed already."""
    return _report(plan, plan.new_rejection(DeadlineExceededError, _EXPIRED), outer)


def reject_key_in_use(plan: Plan, outer: object) -> Exception:
    """Return the rejection of a call whose key another call under way has."""
    return _report(plan, plan.new_rejection(RejectedError, _KEY_IN_USE), outer)


def reject_at_gate(plan: Plan, gate: AttemptGate, outer: object) -> Exception:
    """Return the rejection of a call whose first attempt did not pass its gate, and drop the gate's reference to it."""
    rejection, gate.rejection = gate.rejection, None
    return _report(plan, rejection, outer)


def record_unsent(plan: Plan, key: str | None, error: BaseException, outer: object) -> None:
    """Record on a cancellation that the call was still waiting for its first attempt: nothing was sent."""
    if not isinstance(error, Exception):
        call = FailedCall(plan.operation, (), {}, key)
        attach_failure(error, cancelled_failure(plan, call, maybe_executed=False, attempts=0), outer, gave_up=False)


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
        )
    assert isinstance(rejection, Exception)  # a subclass of the client's error base and of ours
    return rejection
