"""Applies a policy to connection attempts: when to connect, how long to wait after a failure, which events to emit.

Streams use the same backoff, budget, breaker, code tables and listeners as REST calls, but have no last attempt:
`max_attempts` ends nothing, an exhausted budget means the longest delay, and an open breaker is waited for. Only a
custom stop object, or a policy without `retry`, ends a stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..._core.call.attempt_end import start_hold
from ..._core.call.failure_report import caused_by
from ..._core.call.gate_plan import PermitOrGeneration
from ..._core.call.plan import Plan
from ..._core.classify.failure import Failure
from ..._core.policy.backoff import bounds
from ...errors import ApiError

__all__ = ["ConnectAttempts"]


class ConnectAttempts:
    """The connection attempts of one socket. Belongs to one event loop.

    Attributes:
        count: attempts that failed since the stream was last steady.
    """

    def __init__(self, make_plan: Callable[[], Plan]) -> None:
        """Start without failures; `make_plan` is called before each attempt, so that reloaded policies take effect."""
        self._make_plan = make_plan
        self._plan = make_plan()
        self._state: Any = None
        self._waited = 0.0
        self.count = 0

    def ready_at(self, now: float) -> float:
        """Return the instant from which holds and the breaker admit an attempt.

        While the policy is isolated it is `now`: it may be released at any moment.
        """
        breaker = self._plan.breaker
        ready = self._plan.gate.hold.ready_at(now)
        return ready if breaker is None else max(ready, breaker.ready_at(now))

    def begin(self, now: float) -> tuple[bool, PermitOrGeneration | None]:
        """Ask holds and breaker for an attempt; return (whether it is admitted, the breaker's permit)."""
        self._plan = self._make_plan()
        gate = self._plan.gate
        if gate.hold.ready_at(now) > now or gate.isolation() is not None:
            return False, None
        gate.end_holds(now)
        breaker, budget = self._plan.breaker, self._plan.budget
        permit = None if breaker is None else breaker.admit(now)
        self._plan.emit_breaker_events()
        if breaker is not None and permit is None:
            return False, None
        # Only a first attempt deposits; retries withdraw.
        if budget is not None and self.count == 0:
            budget.deposits.add_success(now)
        return True, permit

    def settle(
        self,
        permit: PermitOrGeneration | None,
        started_at: float,
        *,
        succeeded: bool | None,
        error: object = None,
    ) -> None:
        """Settle an admitted attempt, exactly once: succeeded, failed, or neutral (None)."""
        breaker = self._plan.breaker
        if breaker is None or permit is None:
            return
        if succeeded is None:
            breaker.released(permit)
        elif succeeded:
            breaker.succeeded(permit, started_at)
        else:
            breaker.failed(permit, self._plan.clock.monotonic(), error)
        self._plan.emit_breaker_events()

    def classify(self, error: object) -> Failure:
        """Classify an error of the stream."""
        code = str(getattr(error, "close_code", None))
        if self._plan.classifier.rule(code) is not None:
            error = ApiError(code)  # the close frame carries one of the venue's own codes
        failure = self._plan.classifier.classify(error, registry=self._plan.info.registry)
        if not isinstance(error, ApiError) and failure.executed != "n_a":
            # A transport error of a stream concerns no request, so nothing can have been executed.
            failure = replace(failure, executed="n_a")
        return replace(failure, operation=self._plan.operation)

    def action(self, failure: Failure) -> str:
        """Return the action that the code table names for a failure; empty if no table has the code."""
        rule = self._plan.classifier.rule(failure.code) if failure.code else None
        return "" if rule is None else rule.action

    def emit_failure(self, failure: Failure, error: object, *, wait_for: float | None = None) -> None:
        """Emit a failure, with the seconds until the next attempt if one follows."""
        self._emit("attempt_failed", failure, error, wait_for=wait_for)
        if not failure.known and failure.code is not None and self._plan.classifier.is_new_code(failure):
            self._emit("code_unknown", failure, error)

    def report(self, error: object) -> Failure:
        """Classify and emit an error that ends no connection; return the failure."""
        failure = self.classify(error)
        self.emit_failure(failure, error)
        return failure

    def record_failure(self, failure: Failure, error: object, now: float, not_before: float) -> float | None:
        """Count a failed attempt and return the seconds until the next, or None if there is none.

        Args:
            failure: what the error means.
            error: why it failed.
            now: the present instant.
            not_before: the instant from which the limit of new connections admits the next.
        """
        self.count += 1
        start_hold(self._plan, failure, now)
        delay, within_budget = self._delay(error, now)
        if delay is not None:
            # Waiting any shorter would only be rejected again.
            delay = max(delay, failure.retry_after or 0.0, self.ready_at(now) - now, not_before - now)
        self.emit_failure(failure, error, wait_for=delay)
        if delay is None:
            self._emit("retries_exhausted", failure, error)
            return None
        if not within_budget:
            self._emit("budget_exhausted", failure, error)
        self._waited += delay
        return delay

    def max_delay(self, times: int, minimum: float) -> float:
        """Return the longest backoff delay after that many failures in seconds, or `minimum` if that is longer."""
        retry = self._plan.policy.retry
        return minimum if retry is None else max(bounds(retry.backoff, times)[1], minimum)

    def emit_recovery(self, failure: Failure | None) -> None:
        """Emit that the stream is live again after a failure."""
        if failure is not None:
            self._emit("call_recovered", failure, None)

    def emit_end(self, failure: Failure, error: object) -> None:
        """Emit that the stream gives up."""
        self._emit("call_failed", failure, error)

    def reset(self) -> None:
        """Restart the backoff: the stream has been live long enough."""
        self.count, self._state, self._waited = 0, None, 0.0

    def _delay(self, error: object, now: float) -> tuple[float | None, bool]:
        """Return the seconds until the next attempt (None: there is none), and whether the budget allows it."""
        schedule, retry, budget = self._plan.schedule(), self._plan.policy.retry, self._plan.budget
        if schedule is None or retry is None:
            return None, True
        if self._state is None:
            self._state = schedule.begin(now, (), {})
        # `stops` is called even without a custom stop object: it also advances the schedule's state.
        stops = schedule.stops(self._state, self.count, now, error)
        if stops and retry.stop is not None:
            return None, True
        delay = schedule.delay(self._state)
        if budget is not None and not budget.withdraw(now):
            # The stream goes on without budget, at the slowest pace of its policy.
            return max(delay, retry.backoff.max), False
        return delay, True

    def _emit(self, name: str, failure: Failure, error: object, **fields: Any) -> None:
        self._plan.emit(
            name,
            attempt=self.count,
            category=str(failure.category),
            code=failure.code,
            http_status=failure.http_status,
            executed=failure.executed,
            retry_after=failure.retry_after,
            remedy=failure.remedy,
            waited_so_far=self._waited,
            caused_by=caused_by(error),
            **fields,
        )
