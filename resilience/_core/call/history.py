"""Records how a failed call ends, whatever its attempts were; its caller's error gets the failure of the call.

`recovery.py` decides on what is recorded here.
"""

from __future__ import annotations

from typing import Any

from ..classify.attach import annotate, attach_failure
from ..classify.failure import Failure, changed
from .attempt_end import is_rejection
from .attempt_history import AttemptHistory
from .failure_report import call_failure, cancelled_failure
from .late_lookup import LateLookup
from .success_mark import mark_attempts

__all__ = ["CallHistory"]


class CallHistory(AttemptHistory):
    """The attempts of one call since its first failure, and its end. One object, used by one thread or task."""

    __slots__ = ()

    @property
    def proved_not_executed(self) -> bool:
        """Return whether some attempt was uncertain and lookups proved that none was executed."""
        write = self.uncertain_write
        return write is not None and write.was_uncertain and not write.is_open and not self.key_of_other

    @property
    def maybe_executed(self) -> bool:
        """Return whether some attempt may have been executed, or still may be."""
        write = self.uncertain_write
        if self.key_of_other or write is None:
            return self.key_of_other or self.sent.any_uncertain
        return write.is_open or (write.was_uncertain and self.failure.duplicate)

    def on_success(self) -> None:
        """Record that an attempt after the first succeeded."""
        self.permit.succeed(self._attempt_began)
        self._ended = True  # not before: until then an interrupt gives the permit back
        self.plan.emit_breaker_events()
        self._count_success(self.attempt)
        self._count_lookups("not_found")
        self.events.emit_end("call_recovered", self.attempt)

    def record_answered_by_stage(self) -> None:
        """Record that a custom stage has answered: nothing was sent, so the attempt counts nowhere."""
        self.permit.release()
        self._ended = True
        self._count_success(self.attempt, by_attempt=False)
        if self.attempt > 1:
            self.events.emit_end("call_recovered", self.attempt)

    def record_reconciled(self) -> None:
        """Record that a lookup found the write to have been executed."""
        self._ended = True
        self._count_success(self._inner.requests, by_attempt=False)
        self._count_lookups("found")
        self.events.emit_end("call_reconciled", self._inner.requests)

    def record_end(self) -> None:
        """Record that the call failed for good; the caller's error gets its `Failure` and its note."""
        self._ended = True
        self._must_discard = False  # an answer that is a failure belongs to the caller now
        outcome, final = self.outcome, self._final_failure()
        attach_failure(outcome, final, self._outer)
        if isinstance(outcome, BaseException):
            annotate(outcome, final)
        self.call.failure = final
        mark_attempts(self.plan, 0)
        # What is idempotent can be sent again without a lookup, unless it has one.
        maybe_executed = final.executed == "maybe" and (self.plan.confirmable or not self.plan.idempotent)
        if maybe_executed and not self.plan.info.settles_items:
            self._record_unsettled(final, "unknown")
            self.events.emit_side_event("write_unknown", attempts=final.attempts)
        else:
            if self.proved_not_executed:
                self._settle_earlier(final.key)  # of an earlier call with this key
            self.plan.count_end("rejected" if is_rejection(outcome) else "failed", self._began)
        self._count_lookups("unknown" if maybe_executed else "not_found")
        self.events.emit_end("call_failed", final.attempts)

    def _record_unsettled(self, final: Failure, outcome: str) -> None:
        plan = self.plan
        plan.count_end(outcome, self._began)
        lookup = LateLookup(plan, self.call, self.sent.uncertain_write) if plan.info.reconcile is not None else None
        is_inner = self.call.key is None and final.key is not None  # it is the key of a call inside this one
        plan.unsettled.add(
            plan.policy.name, plan.operation, final, plan.clock.time(), lookup,
            host=plan.info.host, account=plan.info.account, is_inner=is_inner,
        )  # fmt: skip

    def _settle_earlier(self, key: str | None) -> None:
        """Forget that an earlier call with this key was in doubt."""
        self.plan.unsettled.settle(key, self.plan.info.host, self.plan.info.account)

    def _count_lookups(self, result: str) -> None:
        if self.looked_up:
            self.plan.counts.add_reconciled(result)

    def _count_success(self, attempts: int, *, by_attempt: bool = True) -> None:
        self.plan.count_end("ok", self._began, by_attempt=by_attempt)
        self._settle_earlier(self.call.key)
        mark_attempts(self.plan, attempts)

    def _final_failure(self) -> Failure:
        """Return the failure of the whole call."""
        failure, sent, inner = self.failure, self.sent, self._inner.last
        looked_up = sent.uncertain_write is not None or (failure.duplicate and self.plan.reconcilable)
        changes: dict[str, Any] = {"attempts": self._inner.requests}
        if self.events.lookup_error is not None:
            changes["lookup_error"] = self.events.lookup_error
        if inner is not None and inner.certain and self.call.key is None and not sent.key_missing:
            changes |= {"key": inner.failure.key, "sent_at": inner.failure.sent_at}
        end = self.call, self.plan, self.outcome
        final = call_failure(failure, *end, maybe_executed=self.maybe_executed, looked_up=looked_up, **changes)
        if final.executed == "no" and not sent.record_not_executed(duplicate=failure.duplicate):
            final = call_failure(failure, *end, maybe_executed=True, looked_up=looked_up, **changes)
        return final

    def abandon(self, error: BaseException) -> None:
        """Record that the call was cancelled: permits go back, nothing is counted. Does nothing after its end.

        Args:
            error: the cancellation; it gets the call's `Failure`, so that the caller learns the key.
        """
        if self._ended:
            return
        self._ended = True
        self.permit.release()
        plan, call = self.plan, self.call
        sending = self.sent.is_sent_now()
        maybe_executed = sending or self.sent.any_uncertain or self.sent.is_open
        failure = cancelled_failure(plan, call, maybe_executed=maybe_executed, attempts=self._inner.requests + sending)
        inner = self._inner.interrupted(error)
        if inner is not None and inner.key is not None and failure.key is None and not self.sent.key_missing:
            failure = changed(failure, key=inner.key, sent_at=inner.sent_at, remedy=inner.remedy)
        attach_failure(error, failure, self._outer, gave_up=maybe_executed and not plan.idempotent)
        if maybe_executed and not plan.idempotent:
            if sending:
                self.sent.open_under_way()
            self._record_unsettled(failure, "cancelled")
        else:
            plan.count_end("cancelled", self._began)
        self._count_lookups("unknown" if maybe_executed else "not_found")
        if not plan.idempotent:
            executed = "maybe" if maybe_executed else "no"
            self.events.emit_end("call_abandoned", failure.attempts, executed=executed)

    def pass_through(self, error: Exception) -> None:
        """Record that the call ends with an exception that steers the program: permits go back, nothing is counted.

        A write that can be looked up may have been executed, as if it was cancelled.
        """
        plan = self.plan
        if self.sent.any_uncertain or (not plan.idempotent and (plan.reconcilable or self.call.key is not None)):
            self.abandon(error)
        elif not self._ended:
            self._ended = True
            self.permit.release()
