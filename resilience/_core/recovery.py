"""From a call's first failure to its end: classify, record, decide, tell.

Sans-IO: the driver reports what happened and gets the next `Step` back; sync and async share every
decision. What it decides, in this order: a write in doubt is looked up before anything else; a
failure that waiting cannot help ends the call; a retry must fit attempts, budget, breaker and
deadline, or the caller gets the API's own last error. One object a failed call, never shared.
"""

from __future__ import annotations

from math import inf
from typing import Any

from ..errors import CircuitOpenError, RejectedError
from .call import Action, Call, Step
from .deadline import Place
from .failure import Failure
from .plan import Plan, Ticket
from .reconcile import Doubt, Found, NotFound, Verdict
from .record import annotate, given_up_in, keep
from .registry import Category
from .verdict import caused_by, of_attempt, of_call

__all__ = ["Recovery"]

_POLL = 0.1  # seconds between two tries for a half-open permit that others hold


class Recovery:
    """One call's way from its first failure to its end."""

    __slots__ = (
        "_attempt", "_doubt", "_foreign", "_here", "_last_look", "_maybe", "_outcome", "_outer", "_over", "_place", "_sending", "_stamps_seen",
        "_skipped", "_state", "_started", "_then", "_ticket", "_wait_until", "_waited", "call", "plan",
    )  # fmt: skip

    def __init__(
        self, plan: Plan, call: Call, place: tuple[Any, ...], ticket: Ticket | None, started: float, outer: object
    ) -> None:
        """Begin after the first attempt, which is reported by `failed`.

        Args:
            plan: the operation's plan.
            call: what a reconciler is told.
            place: the first attempt's place, the very tuple of the context variable.
            ticket: the breaker's leave for it, or None.
            started: when it began, monotonic seconds.
            outer: place of the attempt of an outer call that this call is part of, or None.
        """
        self.plan = plan
        self.call = call
        self._here: object = place
        self._place = Place._make(place)
        self._ticket = ticket
        self._outer = outer
        self._started = started
        self._attempt = 1
        self._stamps_seen = 0
        self._waited = self._skipped = self._wait_until = 0.0
        self._maybe = self._foreign = self._last_look = self._over = False
        self._sending = True
        self._then = Action.SEND
        self._state: Any = None
        self._doubt: Doubt | None = None
        self._outcome: Any = None

    # --- what the driver reports --------------------------------------------------------------

    def failed(self, outcome: Any) -> Step:
        """An attempt raised an error, or returned an answer that is a failure."""
        now = self.now()
        self._discard()
        self._outcome = outcome
        self._sending = False
        inner = given_up_in(outcome, self._here) if isinstance(outcome, BaseException) else None
        failure = inner or of_attempt(self.plan, outcome)
        self._settle(failure, now)
        self._note(failure, now)
        self._tell("attempt_failed")
        if not failure.known and failure.code is not None and self.plan.classifier.first_sight(failure):
            self._tell("code_unknown")
        if inner is not None:
            return self._finish(now)
        return self._decide(failure, now)

    def waited(self) -> Step:
        """The wait is over; one that was cut short on purpose (tests do) counts as waited."""
        self._skipped += max(0.0, self._wait_until - self.now())
        return Step(self._then)

    def begin(self) -> Place | None:
        """Begin the next attempt; None when the breaker refuses it."""
        plan, ticket, now = self.plan, None, self.now()
        if plan.gate is not None:
            ticket = plan.gate(now)
            plan.tell_breaker()
            if ticket is None:
                return None
        self._ticket = ticket
        self._sending = True
        self._attempt += 1
        old = self._place
        until = min(old.deadline, now + plan.attempt_timeout)
        self._here = self._place = old._replace(until=until, attempt=self._attempt)
        return self._place

    def look(self) -> Place:
        """Return the place of a look: the call's deadline, and neither its key nor its budget."""
        place = self._place
        return place._replace(until=place.deadline, key=None, stamps=None, looking=True)

    def refused(self) -> Step:
        """The breaker refused the next attempt after all."""
        now = self.now()
        breaker, rules = self.plan.breaker, self.plan.policy.breaker
        ready = now if breaker is None else breaker.ready_at(now)
        at = max(ready, now + _POLL)
        if rules is not None and rules.wait and at < self._place.deadline:
            return self._wait(at - now, Action.SEND)
        return self._finish(now, self._refusal(ready))

    def recovered(self) -> None:
        """An attempt after the first succeeded."""
        self._over = True
        if self._ticket is not None and self.plan.settled is not None:
            self.plan.settled(self._ticket, self.now())
        self.plan.tell_breaker()
        self._discard()
        self._tell("call_recovered", attempt=self._attempt)

    def looked(self, answer: Any, sent: float) -> Step:
        """A look that was sent at this moment of `now` ended: an answer, or the error that it raised."""
        doubt, now = self._doubt, self.now()
        assert doubt is not None
        if isinstance(answer, Exception):
            doubt.missed()  # an error of the look says nothing: ask again
            return self._look(now)
        if not isinstance(answer, (Found, NotFound)):
            told = TypeError(f"reconcile must return Found(...) or NOT_FOUND, not {type(answer).__name__}")
            return self._finish(now, told)
        verdict = doubt.looked(answer, sent=sent, now=now)
        if verdict is Verdict.DONE and isinstance(answer, Found):
            self._over = True
            self._tell("call_reconciled")
            return Step(Action.RETURN, answer.value)
        if verdict is Verdict.FOREIGN:
            self._foreign = True
        if verdict is Verdict.FOREIGN or self._last_look:
            return self._finish(now)
        if verdict is Verdict.AGAIN:
            return self._look(now)
        failure = self.call.failure
        assert failure is not None
        return self._again(failure, now, 0.0) if failure.category is Category.RETRYABLE else self._finish(now)

    def abandoned(self) -> None:
        """The call was cancelled: permits go back, nothing is counted. After the call's end it changes nothing."""
        if self._over:
            return
        self._over = True
        if self.plan.breaker is not None and self._ticket is not None:
            self.plan.breaker.released(self._ticket)
        self.plan.tell_breaker()
        if not self.plan.idempotent:
            doubtful = self._sending or self._maybe
            self._tell("call_abandoned", executed="maybe" if doubtful else "no")

    def now(self) -> float:
        """Return this call's monotonic time, waits that were cut short on purpose counted in full."""
        return self.plan.clock.monotonic() + self._skipped

    def left(self) -> float:
        """Return the seconds left for the attempt that begins now."""
        return self._place.until - self.now()

    def close(self) -> None:
        """Let go of the outcome, so that no cycle keeps a traceback alive."""
        self._outcome = None
        self.call.failure = None

    # --- record -------------------------------------------------------------------------------

    def _settle(self, failure: Failure, now: float) -> None:
        """Give the breaker its answer: retryable failures count, everything else is neutral."""
        breaker, ticket = self.plan.breaker, self._ticket
        if breaker is not None and ticket is not None:
            if failure.category is Category.RETRYABLE and not isinstance(self._outcome, RejectedError):
                breaker.failed(ticket, now)
            else:
                breaker.released(ticket)
        self._ticket = None
        self.plan.tell_breaker()

    def _note(self, failure: Failure, now: float) -> None:
        """Remember what the attempt leaves behind: its stamp, and whether it is in doubt."""
        plan, call, stamps = self.plan, self.call, self._place.stamps
        fresh = stamps[self._stamps_seen :] if stamps else []
        self._stamps_seen += len(fresh)
        if call.sent_at is None:
            call.sent_at = stamps[0] if stamps else plan.clock.time() - (now - self._started)
        call.attempt = self._attempt
        call.failure = failure
        doubtful = failure.executed == "maybe" and not failure.duplicate
        self._maybe = self._maybe or doubtful
        if doubtful and plan.reconciled:
            if self._doubt is None:
                self._doubt = Doubt(plan.rules, plan.fence, call.sent_at)
            stamp = max(fresh) if fresh else None
            self._doubt.opened(sent=now, stamp=stamp, answered_at=failure.answered_at)

    # --- decide -------------------------------------------------------------------------------

    def _decide(self, failure: Failure, now: float) -> Step:
        if self._doubt is not None and self._doubt.open:
            return self._look(now)
        safe = self.plan.idempotent or failure.executed != "maybe"
        if failure.category is not Category.RETRYABLE or not safe:
            return self._finish(now)
        return self._again(failure, now, None)

    def _look(self, now: float) -> Step:
        """Look when it makes sense, a last time shortly before the deadline, or give up."""
        assert self._doubt is not None
        at, deadline = self._doubt.next_look(now), self._place.deadline
        last = deadline - min(1.0, 0.05 * self.plan.deadline)
        if at <= last:
            return self._wait(at - now, Action.LOOK)
        if self._last_look or last <= now:
            return self._finish(now)
        self._last_look = True
        return self._wait(last - now, Action.LOOK)

    def _again(self, failure: Failure, now: float, delay: float | None) -> Step:
        """Send again if attempts, breaker, deadline and budget allow; `delay` None asks the schedule."""
        plan, schedule = self.plan, self.plan.schedule()
        if schedule is None:
            return self._finish(now)
        if self._state is None:
            self._state = schedule.begin(self._started)
        if schedule.stops(self._state, self._attempt, now) or self._capped(failure):
            self._tell("retries_exhausted")
            return self._finish(now)
        wait = schedule.delay(self._state) if delay is None else delay
        at = now + max(wait, failure.retry_after or 0.0)
        refusal, at = self._breaker_at(at, now)
        need = plan.attempt_timeout if plan.reconciled and plan.attempt_timeout != inf else 0.0
        if refusal is not None or at >= self._place.deadline or at + need > self._place.deadline:
            return self._finish(now, refusal)
        if plan.budget is not None and not self._pays_nothing() and not plan.budget.withdraw(now):
            self._tell("budget_exhausted")
            return self._finish(now)
        self._tell("retry_scheduled", wait_for=at - now)
        return self._wait(at - now, Action.SEND)

    def _pays_nothing(self) -> bool:
        return isinstance(self._outer, tuple) and Place._make(self._outer).looking

    def _capped(self, failure: Failure) -> bool:
        return not failure.known and self._attempt >= self.plan.policy.unknown.max_attempts

    def _breaker_at(self, at: float, now: float) -> tuple[Exception | None, float]:
        """Return (refusal, instant): no wait is begun towards a breaker that will still refuse."""
        breaker, rules = self.plan.breaker, self.plan.policy.breaker
        ready = now if breaker is None else breaker.ready_at(now)
        if ready <= at:
            return None, at
        if rules is not None and rules.wait and ready < self._place.deadline:
            return None, ready
        return self._refusal(ready), at

    def _refusal(self, ready: float) -> Exception:
        return self.plan.refusal(CircuitOpenError, "the circuit breaker is open", ready)

    def _wait(self, delay: float, then: Action) -> Step:
        self._then = then
        if delay <= 0:
            return Step(then)
        self._waited += delay
        self._wait_until = self.now() + delay
        return Step(Action.WAIT, delay)

    def _finish(self, now: float, cause: BaseException | None = None) -> Step:
        """End the call with the API's own last error or answer, told truthfully."""
        doubt = self._doubt
        settled = doubt is not None and doubt.ever and not doubt.open and not self._foreign
        if settled and not self._last_look and now < self._place.deadline and self._fresh_no():
            self._last_look = True  # a later "no" after an earlier doubt: one more look before it is told
            return Step(Action.LOOK)
        self._over = True
        outcome, failure = self._outcome, self._final()
        keep(outcome, failure, self._outer)
        self.call.failure = failure
        self._tell("call_failed")
        if not isinstance(outcome, BaseException):
            return Step(Action.RETURN, outcome)
        if cause is not None and outcome.__cause__ is None:
            _put_cause(outcome, cause)
        annotate(outcome, failure)
        return Step(Action.RAISE, outcome)

    def _fresh_no(self) -> bool:
        """Tell whether the last attempt came after the doubt was settled and was answered "no"."""
        failure = self.call.failure
        return failure is not None and (failure.executed != "maybe" or failure.duplicate)

    def _final(self) -> Failure:
        doubt, failure = self._doubt, self.call.failure
        assert failure is not None
        unsure = self._foreign or (doubt.open or (doubt.ever and failure.duplicate) if doubt else self._maybe)
        settled = doubt is not None or (failure.duplicate and self.plan.reconciled)
        return of_call(failure, self.call, self.plan, unsure=unsure, settled=settled)

    def _tell(self, name: str, **fields: Any) -> None:
        plan = self.plan
        if not plan.events.listeners:
            return
        failure, call = self.call.failure, self.call
        if failure is not None:
            fields.setdefault("category", str(failure.category))
            fields.setdefault("code", failure.code)
            fields.setdefault("http_status", failure.http_status)
            fields.setdefault("executed", failure.executed)
            fields.setdefault("retry_after", failure.retry_after)
            fields.setdefault("remedy", failure.remedy)
        fields.setdefault("attempt", self._attempt)
        plan.tell(name, key=call.key, waited_so_far=self._waited, caused_by=caused_by(self._outcome), **fields)

    def _discard(self) -> None:
        discard, outcome = self.plan.binding.discard, self._outcome
        if discard is not None and outcome is not None and not isinstance(outcome, BaseException):
            try:
                discard(outcome)
            except Exception:
                pass  # the answer is thrown away: how its closing went changes nothing


def _put_cause(error: BaseException, cause: BaseException) -> None:
    try:
        error.__cause__ = cause
    except Exception:
        pass  # a frozen error is handed on as it is
