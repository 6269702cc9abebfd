"""What a failed call leaves behind: its attempts, their outcomes and doubts, and what is told of them.

The record side of a recovery; `recovery.py` decides on it. One object a failed call, never shared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import RejectedError
from ..classify.attach import annotate, given_up_in, keep
from ..classify.failure import Failure
from ..policy.codes import Category
from .context import Place
from .failure_report import caused_by, of_attempt, of_call, of_inner
from .plan import Plan, Ticket
from .reconcile import Doubt
from .steps import Call

if TYPE_CHECKING:
    from .attempt_gate import Door

__all__ = ["Trail"]

_TOO_MUCH = (418, 429)


class Trail:
    """The attempts of one call since its first failure.

    Attributes:
        attempt: number of the last attempt, from 1.
        doubt: the attempts that may have happened; None when there never was one or nothing can look.
        foreign: the key was found to belong to somebody else.
        outcome: the last error, or the last answer that is a failure.
        refusal: what refused a later attempt from inside it; nothing was sent by that one.
        waited: seconds waited so far.
    """

    __slots__ = (
        "_began", "_call", "_held", "_here", "_maybe", "_outer", "_over", "_sending", "_stamps_seen", "_started",
        "_ticket", "attempt", "call", "doubt", "foreign", "outcome", "place", "plan", "refusal", "waited",
    )  # fmt: skip

    def __init__(
        self, plan: Plan, call: Call, place: tuple[Any, ...], ticket: Ticket | None, started: float, outer: object
    ) -> None:
        self.plan = plan
        self.call = call
        self.place = Place(*place)
        self._here: object = place
        self._ticket = ticket
        self._started = self._began = started
        self._outer = outer
        self._call = ""
        self.attempt = 1
        self.doubt: Doubt | None = None
        self.foreign = self._held = self._maybe = self._over = False
        self._sending = True
        self._stamps_seen = 0
        self.outcome: Any = None
        self.refusal: BaseException | None = None
        self.waited = 0.0

    @property
    def failure(self) -> Failure:
        """What the last attempt's outcome means."""
        assert self.call.failure is not None
        return self.call.failure

    @property
    def free(self) -> bool:
        """Tell whether this call is part of a look: such calls pay no retry budget."""
        return isinstance(self._outer, tuple) and Place(*self._outer).looking

    @property
    def settled(self) -> bool:
        """Tell whether there was a doubt and every attempt in doubt was found not to have happened."""
        doubt = self.doubt
        return doubt is not None and doubt.ever and not doubt.open and not self.foreign

    @property
    def unsure(self) -> bool:
        """Tell whether some attempt may have happened, or still may."""
        doubt = self.doubt
        return self.foreign or (doubt.open or (doubt.ever and self.failure.duplicate) if doubt else self._maybe)

    def failed(self, outcome: Any, now: float) -> bool:
        """Classify and record an attempt's outcome; True when a call inside it has given up already."""
        if _refused(outcome) and self.outcome is not None and not _refused(self.outcome):
            return self._refused(outcome)
        self.outcome = outcome
        self._held = self.plan.binding.discard is not None and not isinstance(outcome, BaseException)
        self._sending = False
        inner = given_up_in(outcome, self._here) if isinstance(outcome, BaseException) else None
        failure = of_attempt(self.plan, outcome) if inner is None else of_inner(self.plan, outcome, inner)
        self._settle(failure, now)
        self._note(failure, now)
        if inner is None:
            self._hold(failure, now)
        self.tell("attempt_failed", took=now - self._began, safety=self.plan.safety)
        if not failure.known and failure.code is not None and self.plan.classifier.first_sight(failure):
            self.tell("code_unknown")
        return inner is not None

    def begin(self, now: float, door: Door | None) -> Place | None:
        """Begin the next attempt, which has passed its door where there is one; None when the breaker refuses it."""
        plan, ticket = self.plan, None
        if door is not None:
            ticket = door.ticket
        elif plan.breaker is not None:
            ticket = plan.breaker.admit(now, urgent=plan.urgent(self.call.args, self.call.kwargs))
            plan.tell_breaker()
            if ticket is None:
                return None
        self._ticket, self._began = ticket, now
        self._sending = True
        self.attempt += 1
        until = min(self.place.deadline, now + plan.attempt_timeout)
        self._here = self.place = self.place._replace(until=until, attempt=self.attempt)
        return self.place

    def recovered(self) -> None:
        """An attempt after the first succeeded."""
        self._over = True
        if self._ticket is not None and self.plan.breaker is not None:
            self.plan.breaker.succeeded(self._ticket, self._began)
        self.plan.tell_breaker()
        self.tell("call_recovered")

    def reconciled(self) -> None:
        """A look found that the write had happened."""
        self._over = True
        self.tell("call_reconciled")

    def ended(self) -> None:
        """The call failed for good: the caller's error gets its record and its note."""
        self._over = True
        self._held = False  # an answer is the caller's now
        outcome, doubt, failure = self.outcome, self.doubt, self.failure
        unsure = self.unsure
        settled = doubt is not None or (failure.duplicate and self.plan.reconciled)
        final = of_call(failure, self.call, self.plan, unsure=unsure, settled=settled)
        keep(outcome, final, self._outer)
        if isinstance(outcome, BaseException):
            annotate(outcome, final)
        self.call.failure = final
        self.tell("call_failed")

    def abandoned(self) -> None:
        """The call was cancelled: permits go back, nothing is counted. After the call's end it changes nothing."""
        if self._over:
            return
        self._over = True
        if self.plan.breaker is not None and self._ticket is not None:
            self.plan.breaker.released(self._ticket)
        self.plan.tell_breaker()
        if not self.plan.idempotent:
            self.tell("call_abandoned", executed="maybe" if self._sending or self._maybe else "no")

    def stale(self) -> Any:
        """Let go of an answer that is thrown away, for the driver to close; None when there is none."""
        held, self._held = self._held, False
        return self.outcome if held else None

    def tell(self, name: str, **fields: Any) -> None:
        """Send an event with what is known of the last failure."""
        if not self.plan.events.listeners:
            return
        failure = self.call.failure
        if failure is not None:
            for field in ("code", "http_status", "executed", "registry", "retry_after", "remedy"):
                fields.setdefault(field, getattr(failure, field))
            fields["category"] = str(failure.category)
        self._call = self._call or self.plan.events.new_call()
        self.plan.tell(
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
        self.outcome = self.refusal = None
        self.call.failure = None

    def _refused(self, refusal: RejectedError) -> bool:
        """A later attempt was refused inside: the API's last answer stays the caller's, the refusal is its cause."""
        self.refusal = refusal
        self._sending = False
        if self.plan.breaker is not None and self._ticket is not None:
            self.plan.breaker.released(self._ticket)
        self._ticket = None
        self.plan.tell_breaker()
        return given_up_in(refusal, self._here) is not None

    def _settle(self, failure: Failure, now: float) -> None:
        """Give the breaker its answer: retryable failures count, everything else is neutral.

        A refused stamp is our clock's failure and not the service's.
        """
        breaker, ticket = self.plan.breaker, self._ticket
        if breaker is not None and ticket is not None:
            counts = failure.category is Category.RETRYABLE and failure.hint != "resync_clock"
            if counts and not _refused(self.outcome):
                breaker.failed(ticket, now, self.outcome)
            else:
                breaker.released(ticket)
        self._ticket = None
        self.plan.tell_breaker()

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
        plan, call, stamps = self.plan, self.call, self.place.stamps
        fresh = stamps[self._stamps_seen :] if stamps else []
        self._stamps_seen += len(fresh)
        if call.sent_at is None:
            call.sent_at = _first(stamps, plan) if stamps else plan.clock.time() - (now - self._started)
        if plan.binding.signed and stamps is not None and not fresh and failure.executed == "maybe":
            failure = replace(failure, executed="no")  # a client that stamps what it sends has sent nothing
        call.attempt, call.failure = self.attempt, failure
        doubtful = failure.executed == "maybe" and not failure.duplicate
        self._maybe = self._maybe or doubtful
        if doubtful and plan.reconciled:
            if self.doubt is None:
                self.doubt = Doubt(
                    plan.rules, plan.fence, call.sent_at, None if plan.binding.resumed else self._started
                )
            stamp = max(fresh) if fresh else None
            self.doubt.opened(sent=now, stamp=stamp, answered_at=failure.answered_at)


def _first(stamps: list[float], plan: Plan) -> float:
    """Return the first stamp; of another process's the earliest: its clock may have been set right in between."""
    return min(stamps) if plan.binding.resumed else stamps[0]


def _refused(outcome: object) -> bool:
    """Tell whether an outcome is one of our refusals; its own class is asked, which it cannot hide."""
    return issubclass(type(outcome), RejectedError)
