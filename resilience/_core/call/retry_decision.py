"""Decides whether and when a call is sent again: attempts, breaker, holds, quota, deadline and budget must allow it."""

from __future__ import annotations

from typing import Any

from ..classify.failure import Failure
from ..stages.retry import Schedule
from .history import CallHistory
from .one_shot_arguments import OneShotArguments
from .plan import Plan
from .ready_times import ready_by_breaker, ready_by_holds, ready_by_quotas
from .steps import FailedCall

__all__ = ["RetryDecision"]


class RetryDecision:
    """The retries of one call. Used by one thread or task."""

    __slots__ = ("_call", "_history", "_one_shot", "_plan", "_started", "_state")

    def __init__(self, plan: Plan, call: FailedCall, history: CallHistory, started: float) -> None:
        self._plan = plan
        self._call = call
        self._history = history
        self._started = started
        self._state: Any = None
        self._one_shot: OneShotArguments | None = None

    def next_at(self, now: float, delay: float | None) -> tuple[float | None, BaseException | None]:
        """Return (instant, None) when the call may be sent again, else (None, what has rejected it or None).

        Args:
            now: the present instant.
            delay: seconds to wait at least; None asks the schedule.
        """
        schedule, history = self._plan.schedule(), self._history
        if schedule is None:
            return None, None
        failure = history.failure
        try:
            stops = self._stops(schedule, failure, now)
        except Exception as error:
            return None, error  # a stop or wait object that fails does not hide the API's own error
        if stops:
            history.report_failure()
            history.events.emit_side_event("retries_exhausted")
            return None, None
        wait = schedule.delay(self._state) if delay is None else delay
        # The server's Retry-After is a floor, counted from its answer: a retry before it would be rejected again.
        floor = history.failed_at + (failure.retry_after or 0.0)
        rejection, due = self._ready_at(max(now + wait, floor), now)
        if rejection is not None or not self._plan.gate.fits_deadline(due, history.context.deadline):
            return None, rejection
        call = self._call
        if ((call.args or call.kwargs) and not self._finds_arguments_whole()) or not self._withdraw(now):
            return None, None
        history.report_failure(wait_for=due - now)
        return due, None

    def close(self) -> None:
        """Drop the references to the arguments."""
        self._one_shot = None

    def _stops(self, schedule: Schedule, failure: Failure, now: float) -> bool:
        history = self._history
        if self._state is None:
            self._state = schedule.begin(self._started, self._call.args, self._call.kwargs)
        attempt = history.events.attempt
        if schedule.stops(self._state, attempt, now, history.events.outcome):
            return True
        return failure.guessed and attempt >= self._plan.policy.unknown_errors.max_attempts

    def _ready_at(self, due: float, now: float) -> tuple[Exception | None, float]:
        """Return (rejection, instant) by all that may hold a retry back which is due at an instant."""
        plan, deadline = self._plan, self._history.context.deadline
        rejection: Exception | None = None
        if plan.gate.hold.current or (plan.breaker is not None and plan.breaker.rejects_until > due):
            rejection, due = ready_by_breaker(plan, deadline, due, now)
            if rejection is None:
                rejection, due = ready_by_holds(plan, deadline, due)
        if rejection is None and plan.gate.quotas is not None:
            rejection, due = ready_by_quotas(plan, self._call, deadline, due)
        return rejection, due

    def _finds_arguments_whole(self) -> bool:
        """Return whether another attempt would send what the first one sent; files are rewound."""
        if self._one_shot is None:
            self._one_shot = OneShotArguments(self._plan.fn, self._call.args, self._call.kwargs)
        return self._one_shot.rewind()

    def _withdraw(self, now: float) -> bool:
        """Pay the retry budget; the calls of a reconciler pay none."""
        budget, history = self._plan.budget, self._history
        if budget is None or history.is_lookup or budget.withdraw(now):
            return True
        history.report_failure()
        history.events.emit_side_event("budget_exhausted")
        return False
