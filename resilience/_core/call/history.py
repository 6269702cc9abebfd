"""Records a failed call: its attempts, their outcomes, and how it ends.

`recovery.py` decides on what is recorded here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import RejectedError
from ..classify.attach import (
    LATEST_RECORD,
    InnerFailure,
    annotate,
    attach_failure,
    failure_of_context,
    inner_failure,
)
from ..classify.failure import Failure
from ..stages.breaker import Permit
from .attempt_end import apply_holds, is_rejection, release_permit, settle_permit
from .call_events import CallEvents
from .call_time import CallTime
from .context import CallContext
from .failure_report import attempt_failure, call_failure, cancelled_failure, failure_of_inner_call
from .gate_plan import PermitOrGeneration
from .plan import Plan
from .reconcile import UncertainWrite
from .sent_attempts import SentAttempts
from .steps import FailedCall

if TYPE_CHECKING:
    from .attempt_gate import AttemptGate

__all__ = ["CallHistory"]


class CallHistory:
    """The attempts of one call since its first failure. One object per failed call, used by one thread or task.

    Attributes:
        call: the call, as a reconciler gets it.
        context: the context of the last attempt.
        events: emits the events of the call; it has the number of the last attempt and its outcome.
        failed_at: when the last attempt failed, a monotonic instant.
        key_of_other: a lookup found that the key belongs to another order.
        plan: the operation's plan.
        rejection: what rejected a later attempt from inside it; nothing was sent by that one.
        sent: what the attempts have sent.
        trial: the permit that a later attempt without a gate gets if the breaker is half-open; None without a breaker.
    """

    __slots__ = (
        "_attempt_began",
        "_ended",
        "_inner",
        "_inner_context",
        "_latest_record",
        "_must_discard",
        "_outer",
        "_permit",
        "_requests",
        "_unreported",
        "call",
        "context",
        "events",
        "failed_at",
        "key_of_other",
        "plan",
        "rejection",
        "sent",
        "trial",
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
        self.events = CallEvents(plan, call, time)
        self.sent = SentAttempts(plan, call, context.stamps, started)
        # Errors of inner calls are recognised by the identity of the list in which they found the context.
        self._inner_context = inherited
        self._permit = permit
        self._attempt_began = self.failed_at = started
        self._outer = outer
        self._latest_record = latest_record
        self._inner: InnerFailure | None = None
        # Attempts that reached the service: those of inner calls count instead of the attempt around them.
        self._requests = 0
        self.key_of_other = self._must_discard = self._ended = False
        self.rejection: BaseException | None = None
        # One for all attempts that pass no gate: only one of them is under way at a time.
        self.trial: Permit | None = None if plan.breaker is None else Permit()
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
        outer = tuple(self._outer or ())
        return bool(outer) and CallContext(*outer).in_lookup

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

    def record_failure(self, outcome: Any, now: float) -> bool:
        """Classify and record a failed attempt; True when the call must end with it.

        A call inside it has retried and given up already, or the attempt was rejected: by a custom stage, by an inner
        call, or by the function itself. Waiting for them is their own business.
        """
        # A rejection after the API's own answer is not the answer to the call.
        if is_rejection(outcome) and self.outcome is not None:
            return self._record_rejection(outcome)
        self.events.outcome, self.failed_at = outcome, now
        self._must_discard = self.plan.info.discard is not None and not isinstance(outcome, BaseException)
        self.sent.under_way = False
        inner = self._inner = self._inner_failure(outcome)
        self._requests += inner.attempts if inner is not None else 0 if is_rejection(outcome) else 1
        failure = attempt_failure(self.plan, outcome) if inner is None else self._failure_of_inner(outcome, inner)
        settle_permit(self.plan, self._permit, failure, outcome, now)
        self._permit = None
        self.sent.record(failure, self.attempt, now)
        if inner is None:
            apply_holds(self.plan, failure, now)
        self._unreported = now - self._attempt_began
        return inner is not None or is_rejection(outcome)

    def report_failure(self, wait_for: float | None = None) -> None:
        """Emit `attempt_failed` for the last recorded failure, once: when it is decided whether another follows.

        Args:
            wait_for: seconds until the next attempt; None where none is scheduled.
        """
        duration, self._unreported = self._unreported, None
        if duration is None:
            return
        self.events.report_attempt(duration, wait_for)

    def admit_attempt(self, now: float, gate: AttemptGate | None) -> bool:
        """Take the permit of the next attempt; False when the breaker rejects it.

        Args:
            now: the present instant.
            gate: the gate that it has passed, or None where there is nothing but a breaker, which is checked here.
        """
        plan, permit = self.plan, None
        if gate is not None:
            permit = gate.permit
        elif plan.breaker is not None:
            high_priority = plan.gate.high_priority(self.call.args, self.call.kwargs)
            permit = plan.breaker.admit(now, self.trial, high_priority=high_priority)
            plan.emit_breaker_events()
            if permit is None:
                return False
        self._permit = permit
        return True

    def withdraw_attempt(self) -> None:
        """Record that an admitted attempt is not sent: its permit goes back."""
        release_permit(self.plan, self._permit)
        self._permit = None

    def shorten(self, seconds: float) -> None:
        """Take off the deadline what the machine has slept."""
        self.context = self.context._replace(deadline=self.context.deadline - seconds)

    def begin_attempt(self, now: float) -> list[Any]:
        """Record that the next attempt begins, and return its context for the context variable."""
        plan = self.plan
        self._attempt_began = now
        self.sent.under_way = True
        self.events.attempt += 1
        until = min(self.context.deadline, now + plan.attempt_timeout)
        self.context = self.context._replace(until=until, attempt=self.attempt)
        self._inner_context = context = list(self.context)
        self._latest_record = LATEST_RECORD[0]
        return context

    def on_success(self) -> None:
        """Record that an attempt after the first succeeded."""
        if self._permit is not None and self.plan.breaker is not None:
            self.plan.breaker.succeeded(self._permit, self._attempt_began)
        self._ended = True  # not before: until then an interrupt gives the permit back
        self.plan.emit_breaker_events()
        self.events.emit("call_recovered")

    def record_reconciled(self) -> None:
        """Record that a lookup found the write to have been executed."""
        self._ended = True
        self.events.emit("call_reconciled")

    def record_end(self) -> None:
        """Record that the call failed for good; the caller's error gets its `Failure` and its note."""
        self._ended = True
        self._must_discard = False  # an answer that is a failure belongs to the caller now
        outcome, final = self.outcome, self._final_failure()
        attach_failure(outcome, final, self._outer)
        if isinstance(outcome, BaseException):
            annotate(outcome, final)
        self.call.failure = final
        self.events.emit("call_failed")

    def _final_failure(self) -> Failure:
        """Return the failure of the whole call."""
        failure, sent, inner = self.failure, self.sent, self._inner
        looked_up = sent.uncertain_write is not None or (failure.duplicate and self.plan.reconcilable)
        final = call_failure(
            failure, self.call, self.plan, self.outcome, maybe_executed=self.maybe_executed, looked_up=looked_up
        )
        changes: dict[str, Any] = {"attempts": self._requests}
        if self.events.lookup_error is not None:
            changes["lookup_error"] = self.events.lookup_error
        if inner is not None and inner.certain and final.key is None and not sent.key_missing:
            changes |= {"key": inner.failure.key, "sent_at": inner.failure.sent_at}
        return replace(final, **changes)

    def abandon(self, error: BaseException) -> None:
        """Record that the call was cancelled: permits go back, nothing is counted. Does nothing after its end.

        Args:
            error: the cancellation; it gets the call's `Failure`, so that the caller learns the key.
        """
        if self._ended:
            return
        self._ended = True
        release_permit(self.plan, self._permit)
        plan, call = self.plan, self.call
        sending = self.sent.is_sent_now()
        maybe_executed = sending or self.sent.any_uncertain or self.sent.is_open
        failure = cancelled_failure(plan, call, maybe_executed=maybe_executed, attempts=self._requests + sending)
        inner = failure_of_context(error, self._inner_context)
        if inner is not None and inner.key is not None and failure.key is None and not self.sent.key_missing:
            failure = replace(failure, key=inner.key, sent_at=inner.sent_at, remedy=inner.remedy)
        attach_failure(error, failure, self._outer, gave_up=maybe_executed and not plan.idempotent)
        if not plan.idempotent:
            self.events.emit("call_abandoned", executed="maybe" if maybe_executed else "no")

    def pass_through(self, error: Exception) -> None:
        """Record that the call ends with an exception that steers the program: permits go back, nothing is counted.

        A write that can be looked up may have been executed, as if it was cancelled.
        """
        plan = self.plan
        if self.sent.any_uncertain or (not plan.idempotent and (plan.reconcilable or self.call.key is not None)):
            self.abandon(error)
        elif not self._ended:
            self._ended = True
            release_permit(plan, self._permit)

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
        release_permit(self.plan, self._permit)
        self._permit = None
        inner = self._inner_failure(rejection)
        self._requests += 0 if inner is None else inner.attempts
        return True

    def _inner_failure(self, outcome: object) -> InnerFailure | None:
        """Return what calls inside the last attempt have recorded on its outcome."""
        if not isinstance(outcome, BaseException):
            return None
        return inner_failure(outcome, self._inner_context, self._latest_record)

    def _failure_of_inner(self, outcome: object, inner: InnerFailure) -> Failure:
        """Return the failure that an inner call recorded; where it may be another call's, the less certain one."""
        failure = failure_of_inner_call(self.plan, outcome, inner.failure)
        if getattr(outcome, "resilience_executed", None) == "maybe":
            return replace(failure, executed="maybe", proof="none")  # raised after the answer to the attempt itself
        if inner.certain or attempt_failure(self.plan, outcome).executed != "maybe":
            return failure
        return replace(failure, executed="maybe", proof="none")
