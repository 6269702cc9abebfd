"""From a call's first failure to its end: what happens next.

Sans-IO: the driver reports what happened and gets the next `Step` back; sync and async share every
decision. In this order: a write in doubt is looked up before anything else; a failure that waiting
cannot help ends the call; a retry must fit attempts, breaker, deadline and budget, or the caller
gets the API's own last error. One object a failed call, never shared.
"""

from __future__ import annotations

from typing import Any

from ...errors import CircuitOpenError, QuotaExceededError
from ..policy.codes import Category
from .attempt_gate import OPEN, POLL, AttemptGate
from .context import CallContext
from .history import CallHistory
from .plan import PermitOrGeneration, Plan
from .reconcile import Found, LookupVerdict, NotFound, in_seconds
from .steps import Action, Call, Step

__all__ = ["Recovery"]


class Recovery:
    """One call's way from its first failure to its end."""

    __slots__ = (
        "_gate_rejection",
        "_given_up",
        "_heeded",
        "_history",
        "_last_look",
        "_skipped",
        "_started",
        "_state",
        "_then",
        "_wait_until",
        "call",
        "plan",
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
        """Begin after the first attempt, which is reported by `on_failure` or `abandon`.

        Args:
            plan: the operation's plan.
            call: what a reconciler is told.
            context: the first attempt's place, the very tuple of the context variable.
            permit: the breaker's leave for it, or None.
            started: when it began, monotonic seconds.
            outer: place of the attempt of an outer call that this call is part of, or None.
        """
        self.plan = plan
        self.call = call
        self._history = CallHistory(plan, call, context, permit, started, outer)
        self._started = started
        self._state: Any = None
        self._then = Action.SEND
        self._last_look = self._given_up = False
        self._heeded: set[str] = set()
        self._skipped = self._wait_until = 0.0
        self._gate_rejection: Exception | None = None

    # --- what the driver reports --------------------------------------------------------------

    def on_failure(self, outcome: Any) -> Step:
        """An attempt raised an error, or returned an answer that is a failure."""
        now = self.now()
        self._given_up = self._history.record_failure(outcome, now)
        if self._history.uncertain_write is not None and self._history.uncertain_write.open:
            return self._look(now)
        if self._given_up:
            return self._finish(now)  # the call inside has retried already: retries do not multiply
        hinted = self._hinted(now)
        if hinted is not None:
            return hinted
        failure = self._history.failure
        safe = self.plan.idempotent or failure.executed != "maybe"
        return self._again(now, None) if failure.category is Category.RETRYABLE and safe else self._finish(now)

    def after_wait(self) -> Step:
        """The wait is over; one that was cut short on purpose (tests do) counts as waited."""
        self._skipped += max(0.0, self._wait_until - self.now())
        return Step(self._then)

    def new_gate(self) -> AttemptGate | None:
        """Return what the next attempt must pass, or None where there is nothing but a breaker."""
        if not self.plan.needs_gate:
            return None
        return AttemptGate(self.plan, self.call.args, self.call.kwargs, self._history.context.deadline, self._skipped)

    def begin_attempt(self, gate: AttemptGate | None) -> CallContext | None:
        """Begin the next attempt; None when its door, or the breaker, refuses it."""
        if gate is not None:
            self._skipped = gate.skipped
            self._history.waited += gate.waited
            self._gate_rejection = gate.rejection
            if gate.rejection is not None:
                return None
        return self._history.begin_attempt(self.now(), gate)

    def on_rejection(self) -> Step:
        """The next attempt was refused after all."""
        now, gate_rejection = self.now(), self._gate_rejection
        if gate_rejection is not None and not isinstance(gate_rejection, CircuitOpenError):
            return self._finish(now, gate_rejection)
        rejection, at = self._breaker_at(now + POLL, now)
        if rejection is None and self._waits_for_breaker and at < self._history.context.deadline:
            return self._wait(at - now, Action.SEND)
        return self._finish(now, rejection or self._rejection(now))

    def on_success(self) -> None:
        """An attempt after the first succeeded."""
        self._history.on_success()

    def lookup_context(self) -> CallContext:
        """Return the place of a look: the call's deadline, and neither its key nor its budget."""
        context = self._history.context
        return context._replace(until=context.deadline, key=None, stamps=None, in_lookup=True)

    def on_lookup(self, answer: Any, sent: float) -> Step:
        """A look that was sent at this moment of `now` ended: an answer, or the error that it raised."""
        uncertain_write, now = self._history.uncertain_write, self.now()
        if self.plan.confirmable:
            return self._confirmed(answer, now)
        assert uncertain_write is not None
        if isinstance(answer, Exception):
            uncertain_write.lookup_failed()  # an error of the look says nothing: ask again
            return self._look(now)
        if not isinstance(answer, (Found, NotFound)) or not in_seconds(answer):
            return self._finish(now, _odd(answer))
        verdict = uncertain_write.judge(answer, sent=sent, now=now)
        if verdict is LookupVerdict.DONE and isinstance(answer, Found):
            self._history.record_reconciled()
            return Step(Action.RETURN, answer.value)
        self._history.foreign = verdict is LookupVerdict.FOREIGN
        if verdict is LookupVerdict.FOREIGN or self._last_look:
            return self._finish(now)
        if verdict is LookupVerdict.AGAIN:
            return self._look(now)
        again = self._history.failure.category is Category.RETRYABLE and not self._given_up
        return self._again(now, 0.0) if again else self._finish(now)

    def abandon(self) -> None:
        """The call was cancelled: permits go back, nothing is counted. After the call's end it changes nothing."""
        self._history.abandon()

    def now(self) -> float:
        """Return this call's monotonic time, waits that were cut short on purpose counted in full."""
        return self.plan.clock.monotonic() + self._skipped

    def seconds_left(self) -> float:
        """Return the seconds left for the attempt or the look that begins now."""
        return self._history.context.until - self.now()

    def take_discarded_answer(self) -> Any:
        """Return the last attempt's answer if it is thrown away now and must be closed, else None; only once."""
        return self._history.take_discarded_answer()

    def close(self) -> None:
        """Let go of everything that refers to an error."""
        self._gate_rejection = None
        self._history.close()

    # --- decide -------------------------------------------------------------------------------

    def _hinted(self, now: float) -> Step | None:
        """Do what the rule's hint asks for, each hint once a call; None goes on as usual."""
        plan, failure = self.plan, self._history.failure
        hint = failure.hint
        if hint in self._heeded or failure.executed == "maybe":
            return None
        self._heeded.add(hint)
        if hint == "resync_clock" and plan.info.can_resync_clock:
            return self._again(now, 0.0)  # the client has measured the server's clock: sign anew at once
        if hint in ("treat_as_done", "requery_once") and plan.confirmable:
            self._history.report_failure()
            return Step(Action.LOOK_UP)  # "gone" is no answer: is it cancelled, filled, or not visible yet?
        if hint == "requery_once" and plan.info.read and not self._history.unbudgeted:  # a look asks again by itself
            return self._again(now, plan.fence.lag)  # a read may come before the write is visible
        return None

    def _confirmed(self, answer: Any, now: float) -> Step:
        """Judge a look at a harmless write: its goal is reached, or the API's own answer stands."""
        if isinstance(answer, Found):
            self._history.record_reconciled()
            return Step(Action.RETURN, answer.value)
        if not isinstance(answer, (NotFound, Exception)):
            return self._finish(now, _odd(answer))
        early = self._history.failure.hint == "requery_once" and not self._last_look
        return self._again(now, self.plan.fence.lag) if early else self._finish(now)

    def _look(self, now: float) -> Step:
        """Look when it makes sense, a last time shortly before the deadline, or give up."""
        uncertain_write, deadline = self._history.uncertain_write, self._history.context.deadline
        assert uncertain_write is not None
        at, last = uncertain_write.next_lookup(now), deadline - min(1.0, 0.05 * self.plan.deadline)
        if at <= last:
            return self._wait(at - now, Action.LOOK_UP)
        if self._last_look or last <= now:
            return self._finish(now)
        self._last_look = True
        return self._wait(last - now, Action.LOOK_UP)

    def _again(self, now: float, delay: float | None) -> Step:
        """Send again if attempts, breaker, deadline and budget allow; `delay` None asks the schedule."""
        plan, schedule, failure = self.plan, self.plan.schedule(), self._history.failure
        if schedule is None:
            return self._finish(now)
        if self._state is None:
            self._state = schedule.begin(self._started, self.call.args, self.call.kwargs)
        try:
            stops = schedule.stops(self._state, self._history.attempt, now, self._history.outcome)
        except Exception as error:
            return self._finish(now, error)  # a stop or wait object that fails does not hide the API's own error
        if stops or self._capped():
            self._history.report_failure()
            self._history.emit("retries_exhausted")
            return self._finish(now)
        wait = schedule.delay(self._state) if delay is None else delay
        rejection, at = self._breaker_at(now + max(wait, failure.retry_after or 0.0), now)
        if rejection is None:
            rejection, at = self._quota_at(at)
        if rejection is not None or not plan.fits_deadline(at, self._history.context.deadline):
            return self._finish(now, rejection)
        if plan.budget is not None and not self._history.unbudgeted and not plan.budget.withdraw(now):
            self._history.report_failure()
            self._history.emit("budget_exhausted")
            return self._finish(now)
        self._history.report_failure(wait_for=at - now)
        return self._wait(at - now, Action.SEND)

    def _capped(self) -> bool:
        return self._history.failure.guessed and self._history.attempt >= self.plan.policy.unknown_errors.max_attempts

    @property
    def _waits_for_breaker(self) -> bool:
        rules = self.plan.policy.breaker
        return rules is not None and rules.when_open != "reject"

    def _breaker_at(self, at: float, now: float) -> tuple[Exception | None, float]:
        """Return (refusal, instant): no wait is begun towards a breaker that will still refuse."""
        breaker = self.plan.breaker
        ready = now if breaker is None else breaker.ready_at(now)
        if ready <= at:
            return None, at
        if self._waits_for_breaker and ready < self._history.context.deadline:
            return None, ready
        return self._rejection(ready), at

    def _quota_at(self, at: float) -> tuple[Exception | None, float]:
        """Return (refusal, instant): no wait is begun towards a quota that will still refuse when it ends."""
        ready = self.plan.quota_ready_at(at, self.call.args, self.call.kwargs)
        if ready <= at or self.plan.fits_deadline(ready, self._history.context.deadline):
            return None, max(at, ready)
        told = "the quota has no room before the deadline"
        return self.plan.new_rejection(QuotaExceededError, told, ready), at

    def _rejection(self, ready: float) -> Exception:
        return self.plan.new_rejection(CircuitOpenError, OPEN, ready)

    def _wait(self, delay: float, then: Action) -> Step:
        self._history.report_failure()
        self._then = then
        if delay <= 0:
            return Step(then)
        self._history.waited += delay
        self._wait_until = self.now() + delay
        return Step(Action.WAIT, delay)

    def _finish(self, now: float, cause: BaseException | None = None) -> Step:
        """End the call with the API's own last error or answer."""
        history = self._history
        history.report_failure()
        later = history.failure.executed != "maybe" or history.failure.duplicate
        if history.ruled_out and later and not self._last_look and now < history.context.deadline:
            self._last_look = True  # a later "no" after an earlier doubt: one more look before it is told
            return Step(Action.LOOK_UP)
        if self.plan.confirmable and history.maybe_executed and not self._last_look and now < history.context.deadline:
            self._last_look = True  # harmless, but in doubt: its goal may be reached
            return Step(Action.LOOK_UP)
        outcome, cause = history.outcome, cause or history.rejection
        if cause is not None and isinstance(outcome, BaseException):
            _put_cause(outcome, cause)
        history.record_end()
        return Step(Action.RAISE if isinstance(outcome, BaseException) else Action.RETURN, outcome)


def _odd(answer: object) -> TypeError:
    if isinstance(answer, (Found, NotFound)):
        return TypeError("reconcile must tell server_time and created_at as Unix seconds")
    return TypeError(f"reconcile must return Found(...) or NOT_FOUND, not {type(answer).__name__}")


def _put_cause(error: BaseException, cause: BaseException) -> None:
    """Name the refusal as the cause of an error that has none."""
    try:
        if error.__cause__ is None:
            error.__cause__ = cause
    except Exception:
        pass  # a frozen error is handed on as it is
