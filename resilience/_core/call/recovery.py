"""Decides what happens next, from a call's first failure to its end.

The driver reports what happened and gets the next `Step` back; sync and async share every decision. The order: an
uncertain write is looked up before anything else; a failure that waiting cannot help ends the call; a retry must fit
attempts, breaker, quota, deadline and budget, or the caller gets the API's own last error.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from ...errors import CircuitOpenError, DeadlineExceededError
from ..classify.attach import set_cause
from ..policy.codes import Category
from ..stages.breaker import Permit
from .attempt_gate import EXPIRED, POLL_INTERVAL, AttemptGate
from .context import CallContext
from .found_order import compared
from .history import CallHistory
from .lookup_answer import Found, NotFound, OtherOrderError, answer_error, is_broken_lookup
from .one_shot_arguments import OneShotArguments
from .open_writes import OPEN_WRITES, OpenWriteHandle
from .plan import PermitOrGeneration, Plan
from .ready_times import breaker_rejection, ready_by_breaker, ready_by_holds, ready_by_quotas, waits_for_breaker
from .reconcile import LookupVerdict
from .sleep_watch import SleepWatch
from .stage_around import StageAnswer
from .steps import Action, FailedCall, Step

__all__ = ["Recovery"]


class Recovery:
    """One call's way from its first failure to its end. One object per failed call, used by one thread or task.

    Attributes:
        plan: the operation's plan.
        call: the call, as a reconciler gets it.
        open_write: the handle of its uncertain write, which the driver discards at the end; None where there is none.
        permits: the trials that are out at the breaker, or an empty set.
    """

    __slots__ = (
        "_after_wait",
        "_cleared",
        "_followed_hints",
        "_gate_rejection",
        "_history",
        "_inner_gave_up",
        "_is_last_lookup",
        "_one_shot",
        "_schedule_state",
        "_sleep_watch",
        "_started",
        "_time_ahead",
        "_wait_until",
        "call",
        "open_write",
        "permits",
        "plan",
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
        latest_record: float = inf,
    ) -> None:
        """Begin after the first attempt, which the driver reports by `on_failure` or `abandon`.

        Args:
            plan: the operation's plan.
            call: the call, as a reconciler gets it.
            context: the first attempt's context.
            inherited: the list in which calls inside the first attempt have found it.
            permit: the breaker's permit for it, or None.
            started: when it began, monotonic seconds.
            outer: the context of the attempt of an outer call that this call is part of, or None.
            latest_record: the number of the latest record when the first attempt began; see `inner_failure`.
        """
        self.plan = plan
        self.call = call
        self._history = CallHistory(plan, call, context, inherited, permit, started, outer, latest_record)
        self._sleep_watch = SleepWatch(plan.clock)
        self.permits: set[Any] = set() if plan.breaker is None else plan.breaker.permits
        self._started = started
        self._schedule_state: Any = None
        self._after_wait = Action.SEND
        self._is_last_lookup = self._inner_gave_up = self._cleared = False
        self._followed_hints: set[str] = set()
        # A test clock ends a sleep at once and does not move. Such a wait counts as waited all the same: the call's
        # own time runs ahead of the clock by what is missing.
        self._time_ahead = self._wait_until = 0.0
        self._gate_rejection: Exception | None = None
        self.open_write: OpenWriteHandle | None = None
        self._one_shot: OneShotArguments | None = None

    # --- what the driver reports --------------------------------------------------------------

    def on_failure(self, outcome: Any) -> Step:
        """Report the error that an attempt raised, or its answer that is a failure; returns the next step."""
        if type(outcome) is StageAnswer:  # no failure: a custom stage has answered, and nothing was sent
            self._history.record_answered_by_stage()
            return Step(Action.RETURN, outcome.answer)
        now, history = self.now(), self._history
        if self.plan.control_flow.includes(outcome):
            return self._pass_through(outcome)
        self._inner_gave_up = history.record_failure(outcome, now)
        # First of all: nothing may be sent, and nothing reported as failed, while an attempt may have been executed.
        if history.key_missing:
            return self._finish()  # nobody could look a further attempt up, nor this one
        if history.uncertain_write is not None and history.uncertain_write.is_open:
            return self._look_up(now)
        if self._inner_gave_up:
            return self._finish()  # it has been retried already, or was rejected: retries do not multiply
        step = self._follow_hint(now)
        if step is not None:
            return step
        safe = self.plan.idempotent or history.failure.executed != "maybe"
        return self._retry(now, None) if history.failure.category is Category.RETRYABLE and safe else self._finish()

    def after_wait(self) -> Step:
        """Report that a wait is over; returns the step that it was for."""
        write = self.open_write
        if write is not None and write.has_news:
            write.has_news = False
            self._end_wait_early()
        self._time_ahead += max(0.0, self._wait_until - self.now())
        # Where the deadline has passed meanwhile, the gate of an attempt rejects it.
        return self._begin_lookup() if self._after_wait is Action.LOOK_UP else Step(Action.SEND)

    def watch_reports(self) -> OpenWriteHandle | None:
        """Return the handle by which a stream ends the wait for the next lookup; None where no lookup is waited for.

        To be called only where the call's clock is the machine's, by which streams report.
        """
        if self._after_wait is not Action.LOOK_UP or self.call.key is None:
            return None
        if self.open_write is None:
            self.open_write = OpenWriteHandle(OPEN_WRITES, self.call.key, self.plan.info.account)
            OPEN_WRITES.add(self.open_write, since=self._started)
        return self.open_write

    @property
    def trial(self) -> Permit | None:
        """Return the permit of attempts without a gate, for the driver to discard; None without a breaker."""
        return self._history.trial

    def new_gate(self, is_over: Callable[[], bool] | None = None) -> AttemptGate | None:
        """Return the gate that the next attempt must pass, or None where there is nothing but a breaker.

        Args:
            is_over: returns whether the event loop of the call has ended; None for a thread.
        """
        if self._history.trial is not None:
            self._history.trial.is_over = is_over
        if not (self._is_late() or self.plan.needs_gate or self.plan.hold.current):
            return None
        deadline = self._history.context.deadline
        return AttemptGate(self.plan, self.call.args, self.call.kwargs, deadline, self._time_ahead, is_over)

    def begin_attempt(self, gate: AttemptGate | None) -> list[Any] | None:
        """Begin the next attempt and return its context for the context variable; None when it is rejected."""
        self._gate_rejection = None
        if gate is not None:
            self._time_ahead = gate.time_ahead
            self._history.waited += gate.waited
            self._gate_rejection = gate.rejection
            if gate.rejection is not None:
                return None
        history = self._history
        if not history.admit_attempt(self.now(), gate):
            return None
        late = self._is_late()  # a listener of the breaker's event was slow
        if late or self._reopen_if_reported():
            history.withdraw_attempt()
            self._gate_rejection = self.plan.new_rejection(DeadlineExceededError, EXPIRED) if late else None
            return None
        self._cleared = False
        return history.begin_attempt(self.now())

    def on_rejection(self) -> Step:
        """Report that the attempt was not sent because `begin_attempt` rejected it; returns the next step."""
        now, gate_rejection = self.now(), self._gate_rejection
        if self._reopen_if_reported():
            return self._begin_lookup()
        if gate_rejection is not None and not isinstance(gate_rejection, CircuitOpenError):
            return self._finish(gate_rejection)
        deadline = self._history.context.deadline
        rejection, due = ready_by_breaker(self.plan, deadline, now + POLL_INTERVAL, now)
        if rejection is None and waits_for_breaker(self.plan) and due < deadline:
            return self._wait(due - now, Action.SEND)
        return self._finish(rejection or breaker_rejection(self.plan, now))

    def on_success(self) -> None:
        """Report that an attempt after the first succeeded: the call is over."""
        self._history.on_success()

    def lookup_context(self) -> list[Any]:
        """Return the context of a lookup: it has the call's deadline, but neither its key nor its budget."""
        context = self._history.context
        return list(context._replace(until=context.deadline, key=None, stamps=None, in_lookup=True))

    def on_lookup(self, answer: Any, sent: float) -> Step:
        """Report what the reconciler returned or raised; returns the next step.

        Args:
            answer: what the reconciler returned or raised.
            sent: what `now` returned before the lookup.
        """
        uncertain_write, now = self._history.uncertain_write, self.now()
        if self.plan.control_flow.includes(answer):
            return self._pass_through(answer)
        error = answer if is_broken_lookup(answer) else None if isinstance(answer, Exception) else answer_error(answer)
        if error is not None:
            # A bug of the program: it would fail again, so nobody waits for the deadline in silence.
            self._history.record_lookup_error(answer, is_broken=True)
            return self._finish(error)
        answer = compared(answer, self.call, self.plan.fn)
        if isinstance(answer, OtherOrderError):
            self._history.record_lookup_error(answer, is_broken=False)
        if self.plan.confirmable:
            return self._after_confirmation(answer, now)
        assert uncertain_write is not None
        if isinstance(answer, Exception):
            uncertain_write.lookup_failed()  # an error of the lookup proves nothing: look it up again
            return self._look_up(now)
        if isinstance(answer, NotFound) and self._reopen_if_reported():
            uncertain_write.lookup_failed()  # a stream has seen the order: the lookup is behind
            return self._look_up(now)
        age = self.plan.clock.time() - (self.call.sent_at or 0.0)
        verdict = uncertain_write.judge(answer, sent=sent, now=now, age=age)
        if verdict is LookupVerdict.DONE and isinstance(answer, Found):
            self._history.record_reconciled()
            return Step(Action.RETURN, answer.value)
        self._history.key_of_other = verdict is LookupVerdict.FOREIGN
        if verdict in (LookupVerdict.FOREIGN, LookupVerdict.FORGOTTEN) or self._is_last_lookup:
            return self._finish()
        if verdict is LookupVerdict.AGAIN:
            return self._look_up(now)
        # It did not happen and cannot any more. No further delay: the call has waited for the fence already.
        self._cleared = True
        retryable = self._history.failure.category is Category.RETRYABLE and not self._inner_gave_up
        return self._retry(now, 0.0) if retryable else self._finish()

    def abandon(self, error: BaseException) -> None:
        """Report that the call was cancelled: permits go back, nothing is counted. Does nothing once it has ended.

        Args:
            error: the cancellation, on which the key and the outcome of the call are recorded.
        """
        self._history.abandon(error)

    def take_discarded_answer(self) -> Any:
        """Return the last attempt's answer if the driver must close it now, else None; only once."""
        return self._history.take_discarded_answer()

    def close(self) -> None:
        """Drop every reference to an error, so that no reference cycle keeps a traceback alive."""
        self._gate_rejection = self._one_shot = None
        if self.open_write is not None:
            self.open_write.close()
            self.open_write = None
        self._history.close()

    # --- times --------------------------------------------------------------------------------

    def now(self) -> float:
        """Return this call's monotonic time, waits that a test clock cut short counted in full."""
        return self.plan.clock.monotonic() + self._time_ahead

    def seconds_left(self) -> float:
        """Return the seconds left for the attempt that begins now."""
        return self._history.context.until - self.now()

    def seconds_for_lookup(self) -> float:
        """Return the seconds left for a lookup that begins now."""
        return self._history.context.deadline - self.now()

    def _is_late(self) -> bool:
        """Return whether the deadline has passed, by the monotonic or by the wall clock."""
        slept = self._sleep_watch.seconds_slept()
        if slept:
            self._history.shorten(slept)
        return self.now() >= self._history.context.deadline

    # --- decisions ----------------------------------------------------------------------------

    def _follow_hint(self, now: float) -> Step | None:
        """Act on the rule's hint, once per hint and call. Returns None if the normal decision applies."""
        plan, failure = self.plan, self._history.failure
        hint = failure.hint
        if hint in self._followed_hints or failure.executed == "maybe":
            return None
        self._followed_hints.add(hint)  # once: a server that repeats a hint must not keep the call in a loop
        if hint == "resync_clock" and plan.info.can_resync_clock:
            return self._retry(now, 0.0)  # the client has measured the server's clock: sign again at once
        if hint in ("treat_as_done", "requery_once") and plan.confirmable:
            self._history.report_failure()
            return self._begin_lookup()  # "no such order" may mean cancelled, filled, or not visible yet
        if hint == "requery_once" and plan.info.read and not self._history.is_lookup:  # a lookup is repeated by itself
            return self._retry(now, plan.fence.lag)  # an order may be invisible for that long after it was accepted
        return None

    def _after_confirmation(self, answer: Any, now: float) -> Step:
        """Judge a lookup of a harmless write: its goal is reached, or the caller gets the API's own answer."""
        if isinstance(answer, Found):
            self._history.record_reconciled()
            return Step(Action.RETURN, answer.value)
        too_early = self._history.failure.hint == "requery_once" and not self._is_last_lookup
        return self._retry(now, self.plan.fence.lag) if too_early else self._finish()

    def _look_up(self, now: float) -> Step:
        """Wait for the next lookup, for a last one shortly before the deadline, or give up."""
        uncertain_write, deadline = self._history.uncertain_write, self._history.context.deadline
        assert uncertain_write is not None
        # The last lookup begins a second before the deadline, or 5 % of a shorter one: it needs time for its answer.
        due, last = uncertain_write.next_lookup(now), deadline - min(1.0, 0.05 * self.plan.deadline)
        if due <= last:
            return self._wait(due - now, Action.LOOK_UP)
        if self._is_last_lookup or last <= now:
            return self._finish()
        self._is_last_lookup = True
        return self._wait(last - now, Action.LOOK_UP)

    def _retry(self, now: float, delay: float | None) -> Step:
        """Send again if attempts, breaker, quota, deadline and budget allow; `delay` None asks the schedule."""
        plan, schedule, history = self.plan, self.plan.schedule(), self._history
        deadline = history.context.deadline
        if schedule is None:
            return self._finish()
        if self._schedule_state is None:
            self._schedule_state = schedule.begin(self._started, self.call.args, self.call.kwargs)
        try:
            stops = schedule.stops(self._schedule_state, history.attempt, now, history.outcome)
        except Exception as error:
            return self._finish(error)  # a stop or wait object that fails does not hide the API's own error
        if stops or self._unknown_error_exhausted():
            history.report_failure()
            history.emit("retries_exhausted")
            return self._finish()
        wait = schedule.delay(self._schedule_state) if delay is None else delay
        # The server's Retry-After is a floor, counted from its answer: a retry before it would be rejected again.
        floor = history.failed_at + (history.failure.retry_after or 0.0)
        rejection, due = ready_by_breaker(plan, deadline, max(now + wait, floor), now)
        if rejection is None:
            rejection, due = ready_by_holds(plan, deadline, due)
        if rejection is None:
            rejection, due = ready_by_quotas(plan, self.call, deadline, due)
        if rejection is not None or not plan.fits_deadline(due, deadline):
            return self._finish(rejection)
        if not self._finds_arguments_whole():
            return self._finish()
        if plan.budget is not None and not history.is_lookup and not plan.budget.withdraw(now):
            history.report_failure()
            history.emit("budget_exhausted")
            return self._finish()
        history.report_failure(wait_for=due - now)
        return self._wait(due - now, Action.SEND)

    def _finds_arguments_whole(self) -> bool:
        """Return whether another attempt would send what the first one sent; files are rewound."""
        if self._one_shot is None:
            self._one_shot = OneShotArguments(self.plan.fn, self.call.args, self.call.kwargs)
        return self._one_shot.rewind()

    def _pass_through(self, error: Exception) -> Step:
        """End the call with an exception that steers the program: it is neither retried nor counted."""
        self._history.pass_through(error)
        return Step(Action.RAISE, error)

    def _unknown_error_exhausted(self) -> bool:
        return self._history.failure.guessed and self._history.attempt >= self.plan.policy.unknown_errors.max_attempts

    def _wait(self, delay: float, then: Action) -> Step:
        self._history.report_failure()
        self._after_wait = then
        if delay <= 0:
            return self._begin_lookup() if then is Action.LOOK_UP else Step(then)
        self._history.waited += delay
        self._wait_until = self.now() + delay
        return Step(Action.WAIT, delay)

    def _reopen_if_reported(self) -> bool:
        """Return whether a stream has seen the order; a write that lookups had cleared before is open again then."""
        write = self._history.uncertain_write
        if write is None or self.open_write is None or self.open_write.reported is None:
            return False
        write.reopen()
        return True

    def _begin_lookup(self) -> Step:
        """Begin a lookup, unless the deadline has passed during a wait or in a slow listener."""
        return self._finish() if self._is_late() else Step(Action.LOOK_UP)

    def _end_wait_early(self) -> None:
        """Count only what was waited of a wait that a report has ended."""
        now = self.now()
        self._history.waited -= max(0.0, self._wait_until - now)
        self._wait_until = now

    def _finish(self, cause: BaseException | None = None) -> Step:
        """End the call with the API's own last error or answer, or look up a last time before that."""
        history = self._history
        history.report_failure()
        self._reopen_if_reported()  # an order that a stream has seen is not reported as a "no"
        if self._needs_last_lookup() and not self._is_late():
            self._is_last_lookup = True
            return Step(Action.LOOK_UP)
        outcome, cause = history.outcome, cause or history.rejection
        if cause is not None and isinstance(outcome, BaseException):
            set_cause(outcome, cause)
        history.record_end()
        return Step(Action.RAISE if isinstance(outcome, BaseException) else Action.RETURN, outcome)

    def _needs_last_lookup(self) -> bool:
        """Return whether one more lookup may change what the caller gets."""
        history, failure = self._history, self._history.failure
        if self._is_last_lookup or self._cleared:
            return False
        # A certain "no" after an earlier uncertain attempt: that attempt may show up until the end.
        if history.proved_not_executed and (failure.executed != "maybe" or failure.duplicate):
            return True
        # A harmless write that is uncertain: its goal may be reached.
        return self.plan.confirmable and history.maybe_executed
