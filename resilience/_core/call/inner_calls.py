"""Recognises what calls inside an attempt have recorded on its error: their failure and requests count instead."""

from __future__ import annotations

from math import inf

from ..classify.attach import LATEST_RECORD, InnerFailure, failure_of_context, inner_failure
from ..classify.failure import Failure, changed
from .failure_report import attempt_failure, failure_of_inner_call
from .plan import Plan

__all__ = ["InnerCalls"]


class InnerCalls:
    """The calls inside the attempts of one call. Used by one thread or task.

    Attributes:
        last: what they have recorded on the last outcome, or None.
        requests: attempts that reached the service: those of inner calls count instead of the attempt around them.
    """

    __slots__ = ("_context", "_latest_record", "_plan", "last", "requests")

    def __init__(self, plan: Plan, context: object, latest_record: float = inf) -> None:
        self._plan = plan
        # Errors of inner calls are recognised by the identity of the list in which they found the context.
        self._context = context
        self._latest_record = latest_record
        self.last: InnerFailure | None = None
        self.requests = 0

    def begin_attempt(self, context: object) -> None:
        """Note that an attempt begins, in which inner calls find this context."""
        self._context = context
        self._latest_record = LATEST_RECORD[0]

    def explain(self, outcome: object, *, is_rejected: bool) -> Failure:
        """Return what the outcome of the last attempt means, and count its requests; a rejection has made none."""
        inner = self.last = self._find(outcome)
        if inner is None:
            self.requests += not is_rejected
            return attempt_failure(self._plan, outcome)
        self.requests += inner.attempts
        failure = failure_of_inner_call(self._plan, outcome, inner.failure)
        if getattr(outcome, "resilience_executed", None) == "maybe":
            return changed(failure, executed="maybe", proof="none")  # raised after the answer to the attempt itself
        if inner.certain or attempt_failure(self._plan, outcome).executed != "maybe":
            return failure
        return changed(failure, executed="maybe", proof="none")  # it may be another call's: the less certain one counts

    def count_rejected(self, outcome: object) -> None:
        """Count the requests of an attempt that was rejected from inside after all."""
        inner = self._find(outcome)
        self.requests += 0 if inner is None else inner.attempts

    def _find(self, outcome: object) -> InnerFailure | None:
        """Return what calls inside the last attempt have recorded on its outcome."""
        if not isinstance(outcome, BaseException):
            return None
        return inner_failure(outcome, self._context, self._latest_record)

    def interrupted(self, error: BaseException) -> Failure | None:
        """Return the failure that a call inside the attempt under way has recorded on what interrupts it."""
        return failure_of_context(error, self._context)
