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
from .attempt_gate import OPEN, POLL, Door
from .context import Place
from .history import Trail
from .plan import Plan, Ticket
from .reconcile import Found, NotFound, Verdict, in_seconds
from .steps import Action, Call, Step

__all__ = ["Recovery"]


class Recovery:
    """One call's way from its first failure to its end."""

    __slots__ = (
        "_given_up", "_heeded", "_last_look", "_skipped", "_started", "_state", "_then", "_trail",
        "_turned_away", "_wait_until", "call", "plan",
    )  # fmt: skip

    def __init__(
        self, plan: Plan, call: Call, place: tuple[Any, ...], ticket: Ticket | None, started: float, outer: object
    ) -> None:
        """Begin after the first attempt, which is reported by `failed` or `abandoned`.

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
        self._trail = Trail(plan, call, place, ticket, started, outer)
        self._started = started
        self._state: Any = None
        self._then = Action.SEND
        self._last_look = self._given_up = False
        self._heeded: set[str] = set()
        self._skipped = self._wait_until = 0.0
        self._turned_away: Exception | None = None

    # --- what the driver reports --------------------------------------------------------------

    def failed(self, outcome: Any) -> Step:
        """An attempt raised an error, or returned an answer that is a failure."""
        now = self.now()
        self._given_up = self._trail.failed(outcome, now)
        if self._trail.doubt is not None and self._trail.doubt.open:
            return self._look(now)
        if self._given_up:
            return self._finish(now)  # the call inside has retried already: retries do not multiply
        hinted = self._hinted(now)
        if hinted is not None:
            return hinted
        failure = self._trail.failure
        safe = self.plan.idempotent or failure.executed != "maybe"
        return self._again(now, None) if failure.category is Category.RETRYABLE and safe else self._finish(now)

    def waited(self) -> Step:
        """The wait is over; one that was cut short on purpose (tests do) counts as waited."""
        self._skipped += max(0.0, self._wait_until - self.now())
        return Step(self._then)

    def door(self) -> Door | None:
        """Return what the next attempt must pass, or None where there is nothing but a breaker."""
        if not self.plan.gated:
            return None
        return Door(self.plan, self.call.args, self.call.kwargs, self._trail.place.deadline, self._skipped)

    def begin(self, door: Door | None) -> Place | None:
        """Begin the next attempt; None when its door, or the breaker, refuses it."""
        if door is not None:
            self._skipped = door.skipped
            self._trail.waited += door.waited
            self._turned_away = door.refusal
            if door.refusal is not None:
                return None
        return self._trail.begin(self.now(), door)

    def refused(self) -> Step:
        """The next attempt was refused after all."""
        now, turned_away = self.now(), self._turned_away
        if turned_away is not None and not isinstance(turned_away, CircuitOpenError):
            return self._finish(now, turned_away)
        refusal, at = self._breaker_at(now + POLL, now)
        if refusal is None and self._waits_for_breaker and at < self._trail.place.deadline:
            return self._wait(at - now, Action.SEND)
        return self._finish(now, refusal or self._refusal(now))

    def recovered(self) -> None:
        """An attempt after the first succeeded."""
        self._trail.recovered()

    def looking(self) -> Place:
        """Return the place of a look: the call's deadline, and neither its key nor its budget."""
        place = self._trail.place
        return place._replace(until=place.deadline, key=None, stamps=None, looking=True)

    def looked(self, answer: Any, sent: float) -> Step:
        """A look that was sent at this moment of `now` ended: an answer, or the error that it raised."""
        doubt, now = self._trail.doubt, self.now()
        if self.plan.confirmed:
            return self._confirmed(answer, now)
        assert doubt is not None
        if isinstance(answer, Exception):
            doubt.missed()  # an error of the look says nothing: ask again
            return self._look(now)
        if not isinstance(answer, (Found, NotFound)) or not in_seconds(answer):
            return self._finish(now, _odd(answer))
        verdict = doubt.looked(answer, sent=sent, now=now)
        if verdict is Verdict.DONE and isinstance(answer, Found):
            self._trail.reconciled()
            return Step(Action.RETURN, answer.value)
        self._trail.foreign = verdict is Verdict.FOREIGN
        if verdict is Verdict.FOREIGN or self._last_look:
            return self._finish(now)
        if verdict is Verdict.AGAIN:
            return self._look(now)
        again = self._trail.failure.category is Category.RETRYABLE and not self._given_up
        return self._again(now, 0.0) if again else self._finish(now)

    def abandoned(self) -> None:
        """The call was cancelled: permits go back, nothing is counted. After the call's end it changes nothing."""
        self._trail.abandoned()

    def now(self) -> float:
        """Return this call's monotonic time, waits that were cut short on purpose counted in full."""
        return self.plan.clock.monotonic() + self._skipped

    def left(self) -> float:
        """Return the seconds left for the attempt or the look that begins now."""
        return self._trail.place.until - self.now()

    def stale(self) -> Any:
        """Return the last attempt's answer if it is thrown away now and must be closed, else None; only once."""
        return self._trail.stale()

    def close(self) -> None:
        """Let go of everything that refers to an error."""
        self._turned_away = None
        self._trail.close()

    # --- decide -------------------------------------------------------------------------------

    def _hinted(self, now: float) -> Step | None:
        """Do what the rule's hint asks for, each hint once a call; None goes on as usual."""
        plan, failure = self.plan, self._trail.failure
        hint = failure.hint
        if hint in self._heeded or failure.executed == "maybe":
            return None
        self._heeded.add(hint)
        if hint == "resync_clock" and plan.binding.resync:
            return self._again(now, 0.0)  # the client has measured the server's clock: sign anew at once
        if hint in ("treat_as_done", "requery_once") and plan.confirmed:
            return Step(Action.LOOK)  # "gone" is no answer: is it cancelled, filled, or not visible yet?
        if hint == "requery_once" and plan.binding.read and not self._trail.free:  # a look asks again by itself
            return self._again(now, plan.fence.lag)  # a read may come before the write is visible
        return None

    def _confirmed(self, answer: Any, now: float) -> Step:
        """Judge a look at a harmless write: its goal is reached, or the API's own answer stands."""
        if isinstance(answer, Found):
            self._trail.reconciled()
            return Step(Action.RETURN, answer.value)
        if not isinstance(answer, (NotFound, Exception)):
            return self._finish(now, _odd(answer))
        early = self._trail.failure.hint == "requery_once" and not self._last_look
        return self._again(now, self.plan.fence.lag) if early else self._finish(now)

    def _look(self, now: float) -> Step:
        """Look when it makes sense, a last time shortly before the deadline, or give up."""
        doubt, deadline = self._trail.doubt, self._trail.place.deadline
        assert doubt is not None
        at, last = doubt.next_look(now), deadline - min(1.0, 0.05 * self.plan.deadline)
        if at <= last:
            return self._wait(at - now, Action.LOOK)
        if self._last_look or last <= now:
            return self._finish(now)
        self._last_look = True
        return self._wait(last - now, Action.LOOK)

    def _again(self, now: float, delay: float | None) -> Step:
        """Send again if attempts, breaker, deadline and budget allow; `delay` None asks the schedule."""
        plan, schedule, failure = self.plan, self.plan.schedule(), self._trail.failure
        if schedule is None:
            return self._finish(now)
        if self._state is None:
            self._state = schedule.begin(self._started, self.call.args, self.call.kwargs)
        try:
            stops = schedule.stops(self._state, self._trail.attempt, now, self._trail.outcome)
        except Exception as error:
            return self._finish(now, error)  # a stop or wait object that fails does not hide the API's own error
        if stops or self._capped():
            self._trail.tell("retries_exhausted")
            return self._finish(now)
        wait = schedule.delay(self._state) if delay is None else delay
        refusal, at = self._breaker_at(now + max(wait, failure.retry_after or 0.0), now)
        if refusal is None:
            refusal, at = self._quota_at(at)
        if refusal is not None or not plan.fits(at, self._trail.place.deadline):
            return self._finish(now, refusal)
        if plan.budget is not None and not self._trail.free and not plan.budget.withdraw(now):
            self._trail.tell("budget_exhausted")
            return self._finish(now)
        self._trail.tell("retry_scheduled", wait_for=at - now)
        return self._wait(at - now, Action.SEND)

    def _capped(self) -> bool:
        return self._trail.failure.guessed and self._trail.attempt >= self.plan.policy.unknown.max_attempts

    @property
    def _waits_for_breaker(self) -> bool:
        rules = self.plan.policy.breaker
        return rules is not None and rules.wait is not False

    def _breaker_at(self, at: float, now: float) -> tuple[Exception | None, float]:
        """Return (refusal, instant): no wait is begun towards a breaker that will still refuse."""
        breaker = self.plan.breaker
        ready = now if breaker is None else breaker.ready_at(now)
        if ready <= at:
            return None, at
        if self._waits_for_breaker and ready < self._trail.place.deadline:
            return None, ready
        return self._refusal(ready), at

    def _quota_at(self, at: float) -> tuple[Exception | None, float]:
        """Return (refusal, instant): no wait is begun towards a quota that will still refuse when it ends."""
        ready = self.plan.room_at(at, self.call.args, self.call.kwargs)
        if ready <= at or self.plan.fits(ready, self._trail.place.deadline):
            return None, max(at, ready)
        told = "the quota has no room before the deadline"
        return self.plan.refusal(QuotaExceededError, told, ready), at

    def _refusal(self, ready: float) -> Exception:
        return self.plan.refusal(CircuitOpenError, OPEN, ready)

    def _wait(self, delay: float, then: Action) -> Step:
        self._then = then
        if delay <= 0:
            return Step(then)
        self._trail.waited += delay
        self._wait_until = self.now() + delay
        return Step(Action.WAIT, delay)

    def _finish(self, now: float, cause: BaseException | None = None) -> Step:
        """End the call with the API's own last error or answer."""
        trail = self._trail
        later = trail.failure.executed != "maybe" or trail.failure.duplicate
        if trail.settled and later and not self._last_look and now < trail.place.deadline:
            self._last_look = True  # a later "no" after an earlier doubt: one more look before it is told
            return Step(Action.LOOK)
        if self.plan.confirmed and trail.unsure and not self._last_look and now < trail.place.deadline:
            self._last_look = True  # harmless, but in doubt: its goal may be reached
            return Step(Action.LOOK)
        outcome, cause = trail.outcome, cause or trail.refusal
        if cause is not None and isinstance(outcome, BaseException):
            _put_cause(outcome, cause)
        trail.ended()
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
