"""What a failed call leaves behind: its attempts, their outcomes and doubts, and what is told of them.

The record side of a recovery; `recovery.py` decides on it. One object a failed call, never shared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import RejectedError
from ..classify.attach import annotate, attach_failure, inner_failure
from ..classify.failure import Failure
from ..policy.codes import Category
from .context import CallContext
from .failure_report import attempt_failure, call_failure, caused_by, failure_of_inner_call
from .plan import PermitOrGeneration, Plan
from .reconcile import UncertainWrite
from .steps import Call

if TYPE_CHECKING:
    from .attempt_gate import AttemptGate

__all__ = ["CallHistory"]

_TOO_MUCH = (418, 429)


class CallHistory:
    """The attempts of one call since its first failure.

    Attributes:
        attempt: number of the last attempt, from 1.
        uncertain_write: the attempts that may have happened; None when there never was one or nothing can look.
        foreign: the key was found to belong to somebody else.
        outcome: the last error, or the last answer that is a failure.
        rejection: what refused a later attempt from inside it; nothing was sent by that one.
        waited: seconds waited so far.
    """

    __slots__ = (
        "_began",
        "_call",
        "_held",
        "_here",
        "_maybe",
        "_outer",
        "_over",
        "_sending",
        "_stamps_seen",
        "_started",
        "_ticket",
        "_unreported",
        "attempt",
        "call",
        "context",
        "foreign",
        "outcome",
        "plan",
        "rejection",
        "uncertain_write",
        "waited",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        call: Call,
        context: tuple[Any, ...],
        permit: PermitOrGeneration | None,
        started: float,
        outer: object,
    ) -> None:
        self.plan = plan
        self.call = call
        self.context = CallContext(*context)
        self._here: object = context
        self._ticket = permit
        self._started = self._began = started
        self._outer = outer
        self._call = ""
        self.attempt = 1
        self.uncertain_write: UncertainWrite | None = None
        self.foreign = self._held = self._maybe = self._over = False
        self._sending = True
        self._stamps_seen = 0
        self.outcome: Any = None
        self.rejection: BaseException | None = None
        self.waited = 0.0
        self._unreported: float | None = None  # duration of a failed attempt whose event is not emitted yet

    @property
    def failure(self) -> Failure:
        """What the last attempt's outcome means."""
        assert self.call.failure is not None
        return self.call.failure

    @property
    def unbudgeted(self) -> bool:
        """Tell whether this call is part of a look: such calls pay no retry budget."""
        return isinstance(self._outer, tuple) and CallContext(*self._outer).in_lookup

    @property
    def ruled_out(self) -> bool:
        """Tell whether there was a doubt and every attempt in doubt was found not to have happened."""
        uncertain_write = self.uncertain_write
        return uncertain_write is not None and uncertain_write.ever and not uncertain_write.open and not self.foreign

    @property
    def maybe_executed(self) -> bool:
        """Tell whether some attempt may have happened, or still may."""
        uncertain_write = self.uncertain_write
        return self.foreign or (
            uncertain_write.open or (uncertain_write.ever and self.failure.duplicate)
            if uncertain_write
            else self._maybe
        )

    def record_failure(self, outcome: Any, now: float) -> bool:
        """Classify and record an attempt's outcome; True when a call inside it has given up already."""
        if _refused(outcome) and self.outcome is not None and not _refused(self.outcome):
            return self._refused(outcome)
        self.outcome = outcome
        self._held = self.plan.info.discard is not None and not isinstance(outcome, BaseException)
        self._sending = False
        inner = inner_failure(outcome, self._here) if isinstance(outcome, BaseException) else None
        failure = (
            attempt_failure(self.plan, outcome) if inner is None else failure_of_inner_call(self.plan, outcome, inner)
        )
        self._settle(failure, now)
        self._note(failure, now)
        if inner is None:
            self._hold(failure, now)
        self._unreported = now - self._began
        return inner is not None

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

    def begin_attempt(self, now: float, gate: AttemptGate | None) -> CallContext | None:
        """Begin the next attempt, which has passed its door where there is one; None when the breaker refuses it."""
        plan, permit = self.plan, None
        if gate is not None:
            permit = gate.permit
        elif plan.breaker is not None:
            permit = plan.breaker.admit(now, high_priority=plan.high_priority(self.call.args, self.call.kwargs))
            plan.emit_breaker_events()
            if permit is None:
                return None
        self._ticket, self._began = permit, now
        self._sending = True
        self.attempt += 1
        until = min(self.context.deadline, now + plan.attempt_timeout)
        self._here = self.context = self.context._replace(until=until, attempt=self.attempt)
        return self.context

    def on_success(self) -> None:
        """An attempt after the first succeeded."""
        self._over = True
        if self._ticket is not None and self.plan.breaker is not None:
            self.plan.breaker.succeeded(self._ticket, self._began)
        self.plan.emit_breaker_events()
        self.emit("call_recovered")

    def record_reconciled(self) -> None:
        """A look found that the write had happened."""
        self._over = True
        self.emit("call_reconciled")

    def record_end(self) -> None:
        """The call failed for good: the caller's error gets its record and its note."""
        self._over = True
        self._held = False  # an answer is the caller's now
        outcome, uncertain_write, failure = self.outcome, self.uncertain_write, self.failure
        maybe_executed = self.maybe_executed
        ruled_out = uncertain_write is not None or (failure.duplicate and self.plan.reconcilable)
        final = call_failure(failure, self.call, self.plan, maybe_executed=maybe_executed, ruled_out=ruled_out)
        attach_failure(outcome, final, self._outer)
        if isinstance(outcome, BaseException):
            annotate(outcome, final)
        self.call.failure = final
        self.emit("call_failed")

    def abandon(self) -> None:
        """The call was cancelled: permits go back, nothing is counted. After the call's end it changes nothing."""
        if self._over:
            return
        self._over = True
        if self.plan.breaker is not None and self._ticket is not None:
            self.plan.breaker.released(self._ticket)
        self.plan.emit_breaker_events()
        if not self.plan.idempotent:
            self.emit("call_abandoned", executed="maybe" if self._sending or self._maybe else "no")

    def take_discarded_answer(self) -> Any:
        """Let go of an answer that is thrown away, for the driver to close; None when there is none."""
        held, self._held = self._held, False
        return self.outcome if held else None

    def emit(self, name: str, **fields: Any) -> None:
        """Send an event with what is known of the last failure."""
        if not self.plan.events.listeners:
            return
        failure = self.call.failure
        if failure is not None:
            for field in ("code", "http_status", "executed", "registry", "retry_after", "remedy"):
                fields.setdefault(field, getattr(failure, field))
            fields["category"] = str(failure.category)
        self._call = self._call or self.plan.events.new_call_id()
        self.plan.emit(
            name,
            call=self._call,
            attempt=self.attempt,
            key=self.call.key,
            waited_so_far=self.waited,
            caused_by=caused_by(self.outcome),
            **fields,
        )

    def close(self) -> None:
        """Let go of the outcome, so that no cycle keeps a traceback alive."""
        self.outcome = self.rejection = None
        self.call.failure = None

    def _refused(self, rejection: RejectedError) -> bool:
        """A later attempt was refused inside: the API's last answer stays the caller's, the refusal is its cause."""
        self.rejection = rejection
        self._sending = False
        if self.plan.breaker is not None and self._ticket is not None:
            self.plan.breaker.released(self._ticket)
        self._ticket = None
        self.plan.emit_breaker_events()
        return inner_failure(rejection, self._here) is not None

    def _settle(self, failure: Failure, now: float) -> None:
        """Give the breaker its answer: retryable failures count, everything else is neutral.

        A refused stamp is our clock's failure and not the service's.
        """
        breaker, permit = self.plan.breaker, self._ticket
        if breaker is not None and permit is not None:
            counts = failure.category is Category.RETRYABLE and failure.hint != "resync_clock"
            if counts and not _refused(self.outcome):
                breaker.failed(permit, now, self.outcome)
            else:
                breaker.released(permit)
        self._ticket = None
        self.plan.emit_breaker_events()

    def _hold(self, failure: Failure, now: float) -> None:
        """Hold the quota when the API says that there was too much, or how long nothing may be sent.

        A broken connection is a reason to back off as well, but none to think that too much was sent.
        """
        if self.plan.quotas is None:
            return
        after, backoff = failure.retry_after, failure.hint == "backoff"
        if failure.http_status in _TOO_MUCH or (backoff and (after is not None or failure.registry != "http")):
            self.plan.quotas.hold(now, None if after is None else now + after)

    def _note(self, failure: Failure, now: float) -> None:
        """Remember the attempt's stamp, and whether it is in doubt."""
        plan, call, stamps = self.plan, self.call, self.context.stamps
        fresh = stamps[self._stamps_seen :] if stamps else []
        self._stamps_seen += len(fresh)
        if call.sent_at is None:
            call.sent_at = _first(stamps, plan) if stamps else plan.clock.time() - (now - self._started)
        if plan.info.signs and stamps is not None and not fresh and failure.executed == "maybe":
            failure = replace(failure, executed="no")  # a client that stamps what it sends has sent nothing
        call.attempt, call.failure = self.attempt, failure
        doubtful = failure.executed == "maybe" and not failure.duplicate
        self._maybe = self._maybe or doubtful
        if doubtful and plan.reconcilable:
            if self.uncertain_write is None:
                self.uncertain_write = UncertainWrite(
                    plan.rules, plan.fence, call.sent_at, None if plan.info.resumed else self._started
                )
            stamp = max(fresh) if fresh else None
            self.uncertain_write.attempt_opened(sent=now, stamp=stamp, answered_at=failure.answered_at)


def _first(stamps: list[float], plan: Plan) -> float:
    """Return the first stamp; of another process's the earliest: its clock may have been set right in between."""
    return min(stamps) if plan.info.resumed else stamps[0]


def _refused(outcome: object) -> bool:
    """Tell whether an outcome is one of our refusals; its own class is asked, which it cannot hide."""
    return issubclass(type(outcome), RejectedError)
