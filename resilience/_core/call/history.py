"""Records a failed call: its attempts, their outcomes, and how it ends.

`recovery.py` decides on what is recorded here.
"""

from __future__ import annotations

from typing import Any

from ...errors import RejectedError
from ..classify.attach import annotate, attach_failure
from ..classify.failure import Failure, changed
from .attempt_end import apply_holds, is_rejection
from .attempt_permit import AttemptPermit
from .call_events import CallEvents
from .call_time import CallTime
from .context import CallContext
from .failure_report import call_failure, cancelled_failure
from .gate_plan import PermitOrGeneration
from .inner_calls import InnerCalls
from .late_lookup import LateLookup
from .plan import Plan
from .reconcile import UncertainWrite
from .sent_attempts import SentAttempts
from .steps import FailedCall
from .success_mark import mark_attempts

__all__ = ["CallHistory"]


class CallHistory:
    """The attempts of one call since its first failure. One object per failed call, used by one thread or task.

    Attributes:
        call: the call, as a reconciler gets it.
        context: the context of the last attempt.
        events: emits the events of the call; it has the number of the last attempt and its outcome.
        failed_at: when the last attempt failed, a monotonic instant.
        key_of_other: a lookup found that the key belongs to another order.
        looked_up: the reconciler has been called.
        plan: the operation's plan.
        rejection: what rejected a later attempt from inside it; nothing was sent by that one.
        permit: the breaker's permit of the attempt under way.
        sent: what the attempts have sent.
    """

    __slots__ = (
        "_attempt_began",
        "_began",
        "_ended",
        "_inner",
        "_must_discard",
        "_outer",
        "_unreported",
        "call",
        "context",
        "events",
        "failed_at",
        "key_of_other",
        "looked_up",
        "permit",
        "plan",
        "rejection",
        "sent",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        call: FailedCall,
        context: CallContext,
        inherited: object,
        permit: PermitOrGeneration | None,
        started: float,
        outer: list[Any] | None,
        latest_record: float,
        time: CallTime,
    ) -> None:
        self.plan = plan
        self.call = call
        self.context = context
        self.events = CallEvents(plan, call, time, is_lookup=bool(outer) and CallContext(*outer or ()).in_lookup)
        self.sent = SentAttempts(plan, call, context.stamps, started)
        self.permit = AttemptPermit(plan, permit)
        self._inner = InnerCalls(plan, inherited, latest_record)
        self._attempt_began = self.failed_at = started
        self._began = started if call.began is None else call.began
        self._outer = outer
        self.key_of_other = self.looked_up = self._must_discard = self._ended = False
        self.rejection: BaseException | None = None
        self._unreported: float | None = None  # duration of a failed attempt whose event is not emitted yet

    @property
    def attempt(self) -> int:
        """Return the number of the last attempt, from 1."""
        return self.events.attempt

    @property
    def outcome(self) -> Any:
        """Return the last error, or the last answer that is a failure."""
        return self.events.outcome

    @property
    def uncertain_write(self) -> UncertainWrite | None:
        """Return the attempts that may have been executed; None where there is nothing to look up."""
        return self.sent.uncertain_write

    @property
    def failure(self) -> Failure:
        """Return what the last attempt's outcome means."""
        assert self.call.failure is not None
        return self.call.failure

    @property
    def is_lookup(self) -> bool:
        """Return whether this call is made by a reconciler: such calls pay no retry budget."""
        return self.events.is_lookup

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

    @property
    def may_be_repeated(self) -> bool:
        """Return whether the call may be sent again after its last failure, as far as that may have been executed."""
        plan, failure = self.plan, self.failure
        if plan.idempotent:
            return True
        # Nobody looks a batch up as a whole, so that a likely "no" is not enough: its items are looked up.
        is_likely = plan.info.settles_items and failure.proof == "likely"
        return failure.executed != "maybe" and not is_likely

    def record_failure(self, outcome: Any, now: float) -> bool:
        """Classify and record a failed attempt; True when the call must end with it.

        A call inside it has retried and given up already, or the attempt was rejected: by a custom stage, by an inner
        call, or by the function itself. Waiting for them is their own business.
        """
        # A rejection after the API's own answer is not the answer to the call.
        plan, events, sent, inner = self.plan, self.events, self.sent, self._inner
        is_rejected = is_rejection(outcome)
        if is_rejected and events.outcome is not None:
            return self._record_rejection(outcome)
        events.outcome, self.failed_at = outcome, now
        self._must_discard = plan.info.discard is not None and not isinstance(outcome, BaseException)
        sent.under_way = False
        failure = inner.explain(outcome, is_rejected=is_rejected)
        self.permit.settle(failure, outcome, now, is_rejected=is_rejected)
        sent.record(failure, events.attempt, now)
        is_inner = inner.last is not None
        if not is_inner and not plan.info.resumed:  # an attempt that was made before began its holds then
            apply_holds(plan, failure, now)
        self._unreported = now - self._attempt_began
        events.is_inner = is_inner or is_rejected
        if not is_rejected:  # of which nothing was sent
            plan.counts.add_failed_attempt(failure)
        return events.is_inner

    def report_failure(self, wait_for: float | None = None) -> None:
        """Emit `attempt_failed` for the last recorded failure, once: when it is decided whether another follows.

        Args:
            wait_for: seconds until the next attempt; None where none is scheduled.
        """
        duration, self._unreported = self._unreported, None
        if duration is None:
            return
        self.events.report_attempt(duration, wait_for)

    def shorten(self, seconds: float) -> None:
        """Take off the deadline what the machine has slept."""
        self.context = self.context._replace(deadline=self.context.deadline - seconds)

    def begin_attempt(self, now: float) -> list[Any]:
        """Record that the next attempt begins, and return its context for the context variable."""
        plan = self.plan
        self._attempt_began = now
        self.sent.under_way = True
        self.events.attempt += 1
        _, deadline, _, key, stamps, _, in_lookup = self.context
        until = min(deadline, now + plan.attempt_timeout)
        self.context = CallContext(plan, deadline, until, key, stamps, self.events.attempt, in_lookup)
        context = list(self.context)
        self._inner.begin_attempt(context)
        return context

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

    def take_discarded_answer(self) -> Any:
        """Return an answer that the caller will not get, for the driver to close; None when there is none, or twice."""
        discard, self._must_discard = self._must_discard, False
        return self.outcome if discard else None

    def close(self) -> None:
        """Drop every reference to an error.

        An error's traceback refers to the frames that refer to this object: without this they would be a cycle, which
        only the garbage collector frees.
        """
        self.rejection = self.events.outcome = self.events.lookup_error = None
        self.call.failure = None

    def _record_rejection(self, rejection: RejectedError) -> bool:
        """Record that a later attempt was rejected from inside: the API's last answer remains the call's outcome."""
        self.rejection = rejection
        self.sent.under_way = False
        self.permit.release()
        self._inner.count_rejected(rejection)
        return True
