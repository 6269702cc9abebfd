"""Records a failed call: its attempts, their outcomes, which of them may have been executed, and its events.

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
from .context import CallContext
from .failure_report import attempt_failure, call_failure, cancelled_failure, caused_by, failure_of_inner_call
from .lookup_answer import answer_error
from .plan import PermitOrGeneration, Plan
from .reconcile import UncertainWrite
from .steps import FailedCall

if TYPE_CHECKING:
    from .attempt_gate import AttemptGate

__all__ = ["CallHistory"]


class CallHistory:
    """The attempts of one call since its first failure. One object per failed call, used by one thread or task.

    Attributes:
        attempt: number of the last attempt, from 1.
        call: the call, as a reconciler gets it.
        context: the context of the last attempt.
        failed_at: when the last attempt failed, a monotonic instant.
        key_missing: the finished request of an attempt did not carry the key, so nothing can be looked up by it.
        key_of_other: a lookup found that the key belongs to another order.
        lookup_error: what a broken reconciler raised or returned, else None.
        outcome: the last error, or the last answer that is a failure.
        plan: the operation's plan.
        rejection: what rejected a later attempt from inside it; nothing was sent by that one.
        trial: the permit that a later attempt without a gate gets if the breaker is half-open; None without a breaker.
        uncertain_write: the attempts that may have been executed; None when there never was one, or none can be
            looked up.
        waited: seconds waited so far.
    """

    __slots__ = (
        "_any_uncertain",
        "_attempt_began",
        "_call_id",
        "_ended",
        "_inner",
        "_inner_context",
        "_latest_record",
        "_lookup_reported",
        "_must_discard",
        "_outer",
        "_permit",
        "_requests",
        "_sending",
        "_stamps_seen",
        "_started",
        "_unreported",
        "attempt",
        "call",
        "context",
        "failed_at",
        "key_missing",
        "key_of_other",
        "lookup_error",
        "outcome",
        "plan",
        "rejection",
        "trial",
        "uncertain_write",
        "waited",
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
    ) -> None:
        self.plan = plan
        self.call = call
        self.context = context
        # Errors of inner calls are recognised by the identity of the list in which they found the context.
        self._inner_context = inherited
        self._permit = permit
        self._started = self._attempt_began = started
        self._outer = outer
        self._latest_record = latest_record
        self._inner: InnerFailure | None = None
        self._requests = (
            0  # attempts that reached the service: those of inner calls count instead of the attempt around them
        )
        self._call_id = ""
        self.attempt = 1
        self.uncertain_write: UncertainWrite | None = None
        self.key_of_other = self.key_missing = self._must_discard = self._any_uncertain = self._ended = False
        self.lookup_error: Any = None
        self._lookup_reported = False
        self.failed_at = started
        self._sending = True
        self._stamps_seen = 0
        self.outcome: Any = None
        self.rejection: BaseException | None = None
        # One for all attempts that pass no gate: only one of them is under way at a time.
        self.trial: Permit | None = None if plan.breaker is None else Permit()
        self.waited = 0.0
        self._unreported: float | None = None  # duration of a failed attempt whose event is not emitted yet

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
            return self.key_of_other or self._any_uncertain
        return write.is_open or (write.was_uncertain and self.failure.duplicate)

    def record_failure(self, outcome: Any, now: float) -> bool:
        """Classify and record a failed attempt; True when the call must end with it.

        A call inside it has retried and given up already, or the attempt was rejected: by a custom stage, by an inner
        call, or by the function itself. Waiting for them is their own business.
        """
        # A rejection after the API's own answer is not the answer to the call.
        if is_rejection(outcome) and self.outcome is not None:
            return self._record_rejection(outcome)
        self.outcome, self.failed_at = outcome, now
        self._must_discard = self.plan.info.discard is not None and not isinstance(outcome, BaseException)
        self._sending = False
        inner = self._inner = self._inner_failure(outcome)
        self._requests += inner.attempts if inner is not None else 0 if is_rejection(outcome) else 1
        failure = attempt_failure(self.plan, outcome) if inner is None else self._failure_of_inner(outcome, inner)
        settle_permit(self.plan, self._permit, failure, outcome, now)
        self._permit = None
        self._record_attempt(failure, now)
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
        self.emit("attempt_failed", duration=duration, retry_safety=self.plan.retry_safety, wait_for=wait_for)
        failure = self.failure
        if not failure.known and failure.code is not None and self.plan.classifier.is_new_code(failure):
            self.emit("code_unknown")

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
            high_priority = plan.high_priority(self.call.args, self.call.kwargs)
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
        self._sending = True  # until its outcome is recorded, a cancelled write may have been executed
        self.attempt += 1
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
        self.emit("call_recovered")

    def record_answered_by_stage(self) -> None:
        """Record that a custom stage has answered: nothing was sent, so the attempt counts nowhere."""
        release_permit(self.plan, self._permit)
        self._permit = None
        self._ended = True
        if self.attempt > 1:
            self.emit("call_recovered")

    def record_lookup_error(self, answer: object, *, is_broken: bool) -> None:
        """Record a lookup that is broken, or that returned another order; emits `lookup_failed`, once per call.

        Args:
            answer: what the reconciler raised or returned.
            is_broken: it would fail in the same way again.
        """
        if is_broken:
            self.lookup_error = answer_error(answer) if answer is None else answer
        if not self._lookup_reported:
            self._lookup_reported = True
            self.emit("lookup_failed", reconciler=_name_of(self.plan.reconcile), caused_by=_class_or_value(answer))

    def record_reconciled(self) -> None:
        """Record that a lookup found the write to have been executed."""
        self._ended = True
        self.emit("call_reconciled")

    def record_end(self) -> None:
        """Record that the call failed for good; the caller's error gets its `Failure` and its note."""
        self._ended = True
        self._must_discard = False  # an answer that is a failure belongs to the caller now
        outcome, failure = self.outcome, self.failure
        looked_up = self.uncertain_write is not None or (failure.duplicate and self.plan.reconcilable)
        final = call_failure(
            failure, self.call, self.plan, outcome, maybe_executed=self.maybe_executed, looked_up=looked_up
        )
        if self.lookup_error is not None:
            final = replace(final, lookup_error=self.lookup_error)
        final = replace(final, attempts=self._requests)
        if self._inner is not None and self._inner.certain and final.key is None and not self.key_missing:
            final = replace(final, key=self._inner.failure.key, sent_at=self._inner.failure.sent_at)
        attach_failure(outcome, final, self._outer)
        if isinstance(outcome, BaseException):
            annotate(outcome, final)
        self.call.failure = final
        self.emit("call_failed")

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
        sending = self._sending_now()
        is_open = self.uncertain_write is not None and self.uncertain_write.is_open
        maybe_executed = sending or self._any_uncertain or is_open
        failure = cancelled_failure(plan, call, maybe_executed=maybe_executed, attempts=self._requests + sending)
        inner = failure_of_context(error, self._inner_context)
        if inner is not None and inner.key is not None and failure.key is None and not self.key_missing:
            failure = replace(failure, key=inner.key, sent_at=inner.sent_at, remedy=inner.remedy)
        attach_failure(error, failure, self._outer, gave_up=maybe_executed and not plan.idempotent)
        if not plan.idempotent:
            self.emit("call_abandoned", executed="maybe" if maybe_executed else "no")

    def pass_through(self, error: Exception) -> None:
        """Record that the call ends with an exception that steers the program: permits go back, nothing is counted.

        A write that can be looked up may have been executed, as if it was cancelled.
        """
        plan = self.plan
        if self._any_uncertain or (not plan.idempotent and (plan.reconcilable or self.call.key is not None)):
            self.abandon(error)
        elif not self._ended:
            self._ended = True
            release_permit(plan, self._permit)

    def _sending_now(self) -> bool:
        """Return whether the attempt under way may have been sent; completes what the call says of its requests."""
        plan, call, stamps = self.plan, self.call, self.context.stamps
        if not self._sending or (plan.info.signs and stamps is not None and len(stamps) == self._stamps_seen):
            return False  # a client that stamps what it sends has sent nothing
        if stamps is not None and stamps.key_missing:
            self.key_missing, call.key = True, None
        if call.sent_at is None:
            since = plan.clock.monotonic() - self._started
            call.sent_at = _first_stamp(stamps, plan) if stamps else plan.clock.time() - since
        return True

    def take_discarded_answer(self) -> Any:
        """Return an answer that the caller will not get, for the driver to close; None when there is none, or twice."""
        discard, self._must_discard = self._must_discard, False
        return self.outcome if discard else None

    def emit(self, name: str, **fields: Any) -> None:
        """Emit an event with what is known of the last failure."""
        if not self.plan.events.listeners:
            return
        failure = self.call.failure
        if failure is not None:
            # `setdefault`: `call_abandoned` says its own `executed`, which covers the attempt under way.
            for field in ("code", "http_status", "executed", "registry", "retry_after", "remedy"):
                fields.setdefault(field, getattr(failure, field))
            fields["category"] = str(failure.category)
        # Made with the first event: a call that nobody listens to needs no identifier.
        self._call_id = self._call_id or self.plan.events.new_call_id()
        self.plan.emit(
            name,
            call=self._call_id,
            attempt=self.attempt,
            key=self.call.key,
            waited_so_far=self.waited,
            **{"caused_by": caused_by(self.outcome), **fields},
        )

    def close(self) -> None:
        """Drop every reference to an error.

        An error's traceback refers to the frames that refer to this object: without this they would be a cycle, which
        only the garbage collector frees.
        """
        self.outcome = self.rejection = self.lookup_error = None
        self.call.failure = None

    def _record_rejection(self, rejection: RejectedError) -> bool:
        """Record that a later attempt was rejected from inside: the API's last answer remains the call's outcome."""
        self.rejection = rejection
        self._sending = False
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

    def _record_attempt(self, failure: Failure, now: float) -> None:
        """Record the attempt's stamp, and whether it may have been executed."""
        plan, call, stamps = self.plan, self.call, self.context.stamps
        new_stamps = stamps[self._stamps_seen :] if stamps else []
        self._stamps_seen += len(new_stamps)
        if stamps is not None and stamps.key_missing:
            # Nothing can be looked up by a key that was not sent, and a remedy must not name it.
            self.key_missing, call.key = True, None
        if call.sent_at is None:
            call.sent_at = _first_stamp(stamps, plan) if stamps else plan.clock.time() - (now - self._started)
        if plan.info.signs and stamps is not None and not new_stamps and failure.executed == "maybe":
            # A client that stamps what it sends has sent nothing.
            failure = replace(failure, executed="no", proof="proven")
        call.attempt, call.failure = self.attempt, failure
        is_uncertain = failure.executed == "maybe" and not failure.duplicate
        self._any_uncertain = self._any_uncertain or is_uncertain
        is_likely_refused = failure.executed == "no" and failure.proof == "likely"
        if plan.reconcilable and not self.key_missing and (is_uncertain or is_likely_refused):
            self._open_attempt(max(new_stamps, default=None), now, failure, is_likely_refused=is_likely_refused)

    def _open_attempt(self, stamp: float | None, now: float, failure: Failure, *, is_likely_refused: bool) -> None:
        """Record that the last attempt has to be looked up before anything is sent or reported."""
        plan, sent_at = self.plan, self.call.sent_at
        assert sent_at is not None
        if self.uncertain_write is None:
            began = None if plan.info.resumed else self._started
            self.uncertain_write = UncertainWrite(plan.rules, plan.fence, sent_at, began)
        self.uncertain_write.attempt_opened(
            sent=now, stamp=stamp, answered_at=failure.answered_at, is_likely_refused=is_likely_refused
        )


def _name_of(reconcile: Any) -> str:
    return str(getattr(reconcile, "__qualname__", None) or type(reconcile).__name__).rpartition("<locals>.")[2]


def _class_or_value(answer: object) -> str | None:
    """Return the class of what a broken reconciler raised, or the class of what it returned; never its text."""
    return caused_by(answer) if isinstance(answer, BaseException) else f"returned {type(answer).__name__}"


def _first_stamp(stamps: list[float], plan: Plan) -> float:
    """Return the first stamp; of another process the earliest, whose clock may have been set back in between."""
    return min(stamps) if plan.info.resumed else stamps[0]
