"""Records the attempts of a failed call, and what came of each.

`history.py` records how the call ends, and `recovery.py` decides on what is recorded here.
"""

from __future__ import annotations

from typing import Any

from ...errors import RejectedError
from ..classify.failure import Failure
from .attempt_end import apply_holds, is_rejection
from .attempt_permit import AttemptPermit
from .call_events import CallEvents
from .call_time import CallTime
from .context import CallContext
from .gate_plan import PermitOrGeneration
from .inner_calls import InnerCalls
from .plan import Plan
from .reconcile import UncertainWrite
from .sent_attempts import SentAttempts
from .steps import FailedCall

__all__ = ["AttemptHistory"]


class AttemptHistory:
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
