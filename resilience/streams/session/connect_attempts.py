"""When a connection may be made, and how long to wait after one failed: the policy's parts, and its events.

The same backoff, budget, breaker, code tables and listeners as for REST. One difference: a stream has no
last attempt. `max_attempts` ends nothing, a budget that is used up means the longest delay, and an
open breaker is waited for; only a stop object of the user's, or a policy without `retry`, ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..._core.call.failure_report import caused_by
from ..._core.call.plan import PermitOrGeneration, Plan
from ..._core.classify.failure import Failure
from ..._core.policy.backoff import bounds
from ...errors import ApiError

__all__ = ["Attempts"]


class Attempts:
    """The connects of one socket. Belongs to one event loop.

    Attributes:
        count: attempts that failed since the stream was last steady.
    """

    def __init__(self, plan: Callable[[], Plan]) -> None:
        """Begin; `plan` is asked before each connect, so that a reload of the policies is followed."""
        self._planned = plan
        self._plan = plan()
        self._state: Any = None
        self._waited = 0.0
        self.count = 0

    def ready_at(self, now: float) -> float:
        """Return the instant from which the breaker lets an attempt through."""
        breaker = self._plan.breaker
        return now if breaker is None else breaker.ready_at(now)

    def begin(self, now: float) -> tuple[bool, PermitOrGeneration | None]:
        """Ask for leave to connect: (whether, the breaker's ticket)."""
        self._plan = self._planned()
        breaker, budget = self._plan.breaker, self._plan.budget
        permit = None if breaker is None else breaker.admit(now)
        self._plan.emit_breaker_events()
        if breaker is not None and permit is None:
            return False, None
        if budget is not None and self.count == 0:
            budget.deposits.add_common(now)
        return True, permit

    def settle(
        self, permit: PermitOrGeneration | None, began: float, *, well: bool | None, error: object = None
    ) -> None:
        """Settle an attempt exactly once: well, failed, or neither (None)."""
        breaker = self._plan.breaker
        if breaker is None or permit is None:
            return
        if well is None:
            breaker.released(permit)
        elif well:
            breaker.succeeded(permit, began)
        else:
            breaker.failed(permit, self._plan.clock.monotonic(), error)
        self._plan.emit_breaker_events()

    def classify(self, error: object) -> Failure:
        """Return what an error means to a stream: what never was a request cannot have been executed."""
        code = str(getattr(error, "close_code", None))
        if self._plan.classifier.rule(code) is not None:
            error = ApiError(code)  # the venue's own code, told by the close frame
        failure = self._plan.classifier.classify(error, registry=self._plan.info.registry)
        if not isinstance(error, ApiError) and failure.executed != "n_a":
            failure = replace(failure, executed="n_a")
        return replace(failure, operation=self._plan.operation)

    def action(self, failure: Failure) -> str:
        """Return what the code table says a stream does; empty where no table knows the code."""
        rule = self._plan.classifier.rule(failure.code) if failure.code else None
        return "" if rule is None else rule.action

    def note(self, failure: Failure, error: object, *, wait_for: float | None = None) -> None:
        """Emit a failure, with the seconds until the next attempt where one follows."""
        self._tell("attempt_failed", failure, error, wait_for=wait_for)
        if not failure.known and failure.code is not None and self._plan.classifier.is_new_code(failure):
            self._tell("code_unknown", failure, error)

    def noted(self, error: object) -> Failure:
        """Classify an error that ends no connection, tell it, and return what it means."""
        failure = self.classify(error)
        self.note(failure, error)
        return failure

    def failed(self, failure: Failure, error: object, now: float) -> float | None:
        """Count a failed attempt and return the delay before the next; None: there is none."""
        self.count += 1
        delay, within_budget = self._delay(error, now)
        if delay is not None:
            delay = max(delay, failure.retry_after or 0.0, self.ready_at(now) - now)
        self.note(failure, error, wait_for=delay)
        if delay is None:
            self._tell("retries_exhausted", failure, error)
            return None
        if not within_budget:
            self._tell("budget_exhausted", failure, error)
        self._waited += delay
        return delay

    def longest(self, times: int, otherwise: float) -> float:
        """Return the longest delay of the backoff after so many times, for a connection that is kept."""
        retry = self._plan.policy.retry
        return otherwise if retry is None else max(bounds(retry.backoff, times)[1], otherwise)

    def recovered(self, failure: Failure | None) -> None:
        """The stream is live again."""
        if failure is not None:
            self._tell("call_recovered", failure, None)

    def ended(self, failure: Failure, error: object) -> None:
        """The stream gives up."""
        self._tell("call_failed", failure, error)

    def steady(self) -> None:
        """The stream has held: the next failure begins the backoff anew."""
        self.count, self._state, self._waited = 0, None, 0.0

    def _delay(self, error: object, now: float) -> tuple[float | None, bool]:
        """Return the delay before the next attempt (None: there is none), and whether the retry budget allows it."""
        schedule, retry, budget = self._plan.schedule(), self._plan.policy.retry, self._plan.budget
        if schedule is None or retry is None:
            return None, True
        if self._state is None:
            self._state = schedule.begin(now, (), {})
        stops = schedule.stops(self._state, self.count, now, error)
        if stops and retry.stop is not None:
            return None, True
        delay = schedule.delay(self._state)
        if budget is not None and not budget.withdraw(now):
            return max(delay, retry.backoff.max), False
        return delay, True

    def _tell(self, name: str, failure: Failure, error: object, **fields: Any) -> None:
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
