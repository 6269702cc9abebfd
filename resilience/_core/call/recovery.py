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
from ..classify.failure import Failure
from ..policy.codes import Category
from ..stages.breaker import Permit
from .attempt_gate import EXPIRED, POLL_INTERVAL, AttemptGate
from .call_time import CallTime
from .context import CallContext
from .gate_plan import PermitOrGeneration
from .history import CallHistory
from .lookup_decision import LookupDecision, Next
from .open_writes import OpenWriteHandle
from .plan import Plan
from .ready_times import breaker_rejection, ready_by_breaker, waits_for_breaker
from .retry_decision import RetryDecision
from .stage_around import StageAnswer
from .steps import Action, FailedCall, Step

__all__ = ["Recovery"]

_SEND = Step(Action.SEND)
_FOLLOWED_HINTS = ("resync_clock", "treat_as_done", "requery_once")


class Recovery:
    """One call's way from its first failure to its end. One object per failed call, used by one thread or task.

    Attributes:
        plan: the operation's plan.
        call: the call, as a reconciler gets it.
        lookups: decides about its lookups; the driver discards `lookups.open_write` at the end.
        permits: the trials that are out at the breaker, or an empty set.
    """

    __slots__ = (
        "_admitted",
        "_after_wait",
        "_followed_hints",
        "_gate_rejection",
        "_history",
        "_inner_gave_up",
        "_retries",
        "_time",
        "call",
        "lookups",
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
        self._time = CallTime(plan.clock)
        self._history = CallHistory(plan, call, context, inherited, permit, started, outer, latest_record, self._time)
        self._retries = RetryDecision(plan, call, self._history, started)
        self.lookups = LookupDecision(plan, call, self._history, started)
        self.permits: set[Any] = set() if plan.breaker is None else plan.breaker.permits
        self._after_wait = Action.SEND
        self._inner_gave_up = False
        self._followed_hints: tuple[str, ...] = ()  # not a set: an empty one takes 216 bytes
        self._gate_rejection: Exception | None = None
        self._admitted: PermitOrGeneration | None = None  # the permit of an attempt that is sent without a gate

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
        if history.sent.key_missing:
            return self._finish()  # nobody could look a further attempt up, nor this one
        if history.sent.is_open:
            return self._look_up(now)
        if self._inner_gave_up:
            return self._finish()  # it has been retried already, or was rejected: retries do not multiply
        failure = history.failure
        step = self._follow_hint(failure, now) if failure.hint in _FOLLOWED_HINTS else None
        if step is not None:
            return step
        safe = failure.category is Category.RETRYABLE and history.may_be_repeated
        return self._retry(now, None) if safe else self._finish()

    def after_wait(self) -> Step:
        """Report that a wait is over; returns the step that it was for."""
        if self.lookups.take_news():
            self._time.cut_wait()
        self._time.end_wait()
        # Where the deadline has passed meanwhile, the gate of an attempt rejects it.
        return self._begin_lookup() if self._after_wait is Action.LOOK_UP else _SEND

    def watch_reports(self) -> OpenWriteHandle | None:
        """Return the handle by which a stream ends the wait for the next lookup; None where no lookup is waited for.

        To be called only where the call's clock is the machine's, by which streams report.
        """
        if self._after_wait is not Action.LOOK_UP or self.call.key is None:
            return None
        return self.lookups.watch_reports(self.call.key)

    @property
    def trial(self) -> Permit | None:
        """Return the permit of attempts without a gate, for the driver to discard; None without a breaker."""
        return self._history.permit.trial

    def new_gate(self, is_over: Callable[[], bool] | None = None) -> AttemptGate | None:
        """Return the gate that the next attempt must pass; None where it may be sent, or meets the breaker alone.

        Args:
            is_over: returns whether the event loop of the call has ended; None for a thread.
        """
        gate, history = self.plan.gate, self._history
        late = self._is_late()
        self._admitted = None if late else gate.admit_retry_at_once(self.now())
        if self._admitted is not None:
            return None
        trial = history.permit.new_trial()
        if trial is not None:
            trial.is_over = is_over
        if not (late or gate.is_needed or gate.hold.current):
            return None
        return AttemptGate(gate, self.call, history.context.deadline, self._time.ahead, is_over)

    def begin_attempt(self, gate: AttemptGate | None) -> list[Any] | None:
        """Begin the next attempt and return its context for the context variable; None when it is rejected."""
        self._gate_rejection = None
        if gate is not None:
            self._time.add_gate(gate.time_ahead, gate.waited)
            self._gate_rejection = gate.rejection
            if gate.rejection is not None:
                return None
        history, late, lookups = self._history, False, self.lookups
        if self._admitted is not None:
            history.permit.take_at_once(self._admitted)
        elif history.permit.take(self.now(), self.call, gate):
            late = self._is_late()  # a listener of the breaker's event was slow
        else:
            return None
        if late or lookups.reopen_if_reported():
            history.permit.release()
            self._gate_rejection = self.plan.new_rejection(DeadlineExceededError, EXPIRED) if late else None
            return None
        lookups.begin_attempt()
        return history.begin_attempt(self.now())

    def on_rejection(self) -> Step:
        """Report that the attempt was not sent because `begin_attempt` rejected it; returns the next step."""
        now, gate_rejection = self.now(), self._gate_rejection
        if self.lookups.reopen_if_reported():
            return self._begin_lookup()
        if gate_rejection is not None and getattr(gate_rejection, "reason", "") != CircuitOpenError.reason:
            return self._finish(gate_rejection)
        deadline = self._history.context.deadline
        rejection, due = ready_by_breaker(self.plan, deadline, now + POLL_INTERVAL, now)
        if rejection is None and waits_for_breaker(self.plan) and due < deadline:
            return self._wait(due - now, Action.SEND)
        return self._finish(rejection or breaker_rejection(self.plan, now))

    def on_success(self, result: Any = None) -> Step:
        """Report that an attempt after the first succeeded: the call is over."""
        self._history.on_success()
        return Step(Action.RETURN, result)

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
        if self.plan.control_flow.includes(answer):
            return self._pass_through(answer)
        now = self.now()
        follows, value = self.lookups.judge(answer, sent, now)
        if follows is Next.RETURN:
            return Step(Action.RETURN, value)
        if follows is Next.AGAIN:
            return self._look_up(now)
        if follows is Next.FINISH:
            return self._finish(value)
        if follows is Next.SEND_AGAIN and not self._may_retry():
            return self._finish()
        return self._retry(now, value)

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
        self._gate_rejection = None
        self._retries.close()
        self.lookups.close()
        self._history.close()

    # --- times --------------------------------------------------------------------------------

    def now(self) -> float:
        """Return this call's monotonic time, waits that a test clock cut short counted in full."""
        return self.plan.clock.monotonic() + self._time.ahead

    def seconds_left(self) -> float:
        """Return the seconds left for the attempt that begins now."""
        return self._history.context.until - self.now()

    def seconds_for_lookup(self) -> float:
        """Return the seconds left for a lookup that begins now."""
        return self._history.context.deadline - self.now()

    def _is_late(self) -> bool:
        """Return whether the deadline has passed, by the monotonic or by the wall clock."""
        slept = self._time.seconds_slept()
        if slept:
            self._history.shorten(slept)
        return self.now() >= self._history.context.deadline

    # --- decisions ----------------------------------------------------------------------------

    def _follow_hint(self, failure: Failure, now: float) -> Step | None:
        """Act on the rule's hint, once per hint and call. Returns None if the normal decision applies."""
        plan, hint = self.plan, failure.hint
        if hint in self._followed_hints or failure.executed == "maybe":
            return None
        self._followed_hints += (hint,)  # once: a server that repeats a hint must not keep the call in a loop
        if hint == "resync_clock" and plan.info.can_resync_clock:
            return self._retry(now, 0.0)  # the client has measured the server's clock: sign again at once
        if hint in ("treat_as_done", "requery_once") and plan.confirmable:
            self._history.report_failure()
            return self._begin_lookup()  # "no such order" may mean cancelled, filled, or not visible yet
        if hint == "requery_once" and plan.info.read and not self._history.is_lookup:  # a lookup is repeated by itself
            # An order may be invisible for that long after it was accepted.
            return self._retry(now, self._history.sent.lag)
        return None

    def _may_retry(self) -> bool:
        return self._history.failure.category is Category.RETRYABLE and not self._inner_gave_up

    def _look_up(self, now: float) -> Step:
        """Wait for the next lookup, or give up."""
        seconds = self.lookups.seconds_until_next(now)
        return self._finish() if seconds is None else self._wait(seconds, Action.LOOK_UP)

    def _retry(self, now: float, delay: float | None) -> Step:
        """Send again if that is allowed; `delay` None asks the schedule."""
        due, rejection = self._retries.next_at(now, delay)
        return self._finish(rejection) if due is None else self._wait(due - now, Action.SEND)

    def _pass_through(self, error: Exception) -> Step:
        """End the call with an exception that steers the program: it is neither retried nor counted."""
        self._history.pass_through(error)
        return Step(Action.RAISE, error)

    def _wait(self, delay: float, then: Action) -> Step:
        self._history.report_failure()
        self._after_wait = then
        if delay <= 0:
            return self._begin_lookup() if then is Action.LOOK_UP else _SEND
        self._time.begin_wait(delay)
        return Step(Action.WAIT, delay)

    def _begin_lookup(self) -> Step:
        """Begin a lookup, unless the deadline has passed during a wait or in a slow listener."""
        return self._finish() if self._is_late() else Step(Action.LOOK_UP)

    def _finish(self, cause: BaseException | None = None) -> Step:
        """End the call with the API's own last error or answer, or look up a last time before that."""
        history = self._history
        history.report_failure()
        self.lookups.reopen_if_reported()  # an order that a stream has seen is not reported as a "no"
        if self.lookups.is_needed_at_the_end() and not self._is_late():
            self.lookups.is_last = True
            return Step(Action.LOOK_UP)
        outcome, cause = history.outcome, cause or history.rejection
        is_error = isinstance(outcome, BaseException)
        if is_error and cause is not None:
            set_cause(outcome, cause)
        history.record_end()
        return Step(Action.RAISE if is_error else Action.RETURN, outcome)
