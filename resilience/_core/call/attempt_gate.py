"""Decides when an attempt may be sent: hold, breaker, quota, slot, and the breaker's permit, in this order.

No I/O: `next_step` says to wait, to queue or to send, or it rejects. The driver does that and calls it again. A call
waiting for quota holds no slot; a call waiting for a slot has consumed no quota. If a later step rejects, earlier
reservations are released.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from ...errors import AdmissionRejectedError, CircuitOpenError, DeadlineExceededError, QuotaExceededError
from ..base.clock import Clock
from ..stages.breaker import Permit
from ..stages.lanes import Slot
from .gate_plan import GatePlan, PermitOrGeneration
from .quota_payment import Payment
from .sleep_watch import SleepWatch
from .steps import Action, FailedCall, Step

__all__ = ["BREAKER_OPEN", "CUT_OFF", "EXPIRED", "HELD", "POLL_INTERVAL", "QUOTA_FULL", "AttemptGate"]

BREAKER_OPEN = "the circuit breaker is open"
EXPIRED = "the deadline has passed, nothing was sent"
HELD = "the API has asked to wait until after the deadline"
QUOTA_FULL = "the quota allows no attempt before the deadline"
CUT_OFF = "the shared store does not answer, and the quota is too small for a standing part"
_QUEUE_FULL = "too many calls are running and waiting"
POLL_INTERVAL = 0.1
"""Seconds between two tries for a half-open permit that others hold."""
ANSWER_INTERVAL = 0.005
"""Seconds between two tries while a store is asked for a permit; it answers within about a millisecond."""
_NOTHING: set[Any] = set()
"""Stays empty: there is nothing to discard."""


class AttemptGate:
    """One attempt on its way to being sent. Made only where it cannot be sent at once; used by one thread or task.

    What it takes it has made before, so that a driver that keeps the gate can give all back, whether it was taken or
    not, and whatever a signal handler raises meanwhile: nested `finally` blocks, each of one store or one call in C.

        gate.slot.gone = True      # where there is a slot
        gate.payment.ticket.gone = True    # where there is a ticket
        gate.running.discard(gate.slot)
        gate.permits.discard(gate.trial)

    Attributes:
        began: when the call began that waits here first.
        deadline: the instant by which the call must have ended; what the machine sleeps is taken off.
        now: the instant of the last step.
        payment: what it pays, with its turn in the queue of a quota.
        permits: the trials that are out at the breaker, or an empty set.
        permit: the breaker's permit, where there is a breaker and the attempt may be sent.
        rejection: the error that rejected it, or None.
        running: the slots that are taken, or an empty set.
        slot: the attempt's slot, taken or not; None where the policy has no admission.
        trial: the permit that it gets if the breaker is half-open; None where there is no breaker.
        time_ahead: seconds by which this call's time is ahead of the clock: waits that a test clock cut short.
        waited: seconds waited for a hold, the quota or the breaker.
    """

    __slots__ = (
        "_due",
        "_high_priority",
        "_is_queued",
        "_plan",
        "_sleep_watch",
        "_waits_for_quota",
        "began",
        "deadline",
        "now",
        "payment",
        "permit",
        "permits",
        "rejection",
        "running",
        "slot",
        "time_ahead",
        "trial",
        "waited",
    )  # fmt: skip

    def __init__(
        self,
        plan: GatePlan,
        call: FailedCall,
        deadline: float,
        time_ahead: float = 0.0,
        is_over: Callable[[], bool] | None = None,
    ) -> None:
        """Begin before the first step.

        Args:
            plan: what the operation's gates need.
            call: the call, by whose arguments its lane and its weight may go.
            deadline: the instant by which the call must have ended.
            time_ahead: seconds by which this call's time is ahead of the clock.
            is_over: returns whether the event loop of the call has ended; None for a thread.
        """
        self._plan = plan
        self._sleep_watch = SleepWatch(plan.clock)  # first: a user's function of lanes or weights may be slow
        if call.began is None:
            call.began = plan.clock.monotonic()
        self.began = call.began
        lane = plan.lane(call.args, call.kwargs)
        self._high_priority = plan.high_priority(call.args, call.kwargs)
        self.payment = Payment(plan, plan.weights(call.args, call.kwargs), high_priority=self._high_priority)
        self.deadline = deadline
        self.time_ahead = time_ahead
        self._is_queued = False
        self._due: float | None = None
        self._waits_for_quota = False
        self.now = 0.0
        self.waited = 0.0
        self.permit: PermitOrGeneration | None = None
        self.slot: Slot | None = None if plan.admission is None else plan.admission.new_slot(lane, is_over)
        self.trial: Permit | None = None if plan.breaker is None else Permit(is_over)
        self.running: set[Any] = _NOTHING if plan.admission is None else plan.admission.running
        self.permits: set[Any] = _NOTHING if plan.breaker is None else plan.breaker.permits
        self.rejection: Exception | None = None

    @property
    def clock(self) -> Clock:
        """The clock to wait by."""
        return self._plan.clock

    def next_step(self) -> Step:
        """Return what is next: WAIT and PARK with their seconds, SEND, or RAISE with a rejection."""
        now = self._now_after_wait()
        if self._is_queued and not self._leave_queue():
            return self._reject(AdmissionRejectedError, _QUEUE_FULL)
        if now >= self.deadline:  # a wait may end late: the process was stopped, or a listener was slow
            return self._reject(DeadlineExceededError, EXPIRED)
        # Asked after each wait, because a hold may have begun meanwhile.
        held = self._wait_for_hold(now) if self._plan.hold.current else None
        if held is not None:
            return held
        breaker = self._plan.breaker
        # Asked before the quota, which a call that is rejected anyway must not consume; the permit itself comes last,
        # because a permit that waits for quota or slot would block the trials of a half-open breaker.
        ready = now if breaker is None else breaker.ready_at(now)
        if ready > now:
            return self._breaker_wait_or_reject(now, ready)
        return self._pay(now) or self._take_slot(now) or self._take_permit(now)

    def join_queue(self, wake: Callable[[], Any]) -> bool:
        """Join the queue for a slot; `wake` is called once `next_step` may be. Returns False if it may be at once."""
        assert self._plan.admission is not None
        assert self.slot is not None
        self._is_queued = True
        return self._plan.admission.join_queue(self.slot, wake)

    def report_success(self) -> None:
        """Report that the first attempt of the call has succeeded."""
        if self._plan.breaker is not None and self.permit is not None:
            self._plan.breaker.succeeded(self.permit, self.now)
        self._plan.emit_breaker_events()

    def release_slot(self) -> None:
        """Report that the attempt has ended: its slot goes back, if it was taken."""
        if self.slot is not None and self._plan.admission is not None:
            self._plan.admission.release(self.slot)

    def withdraw(self) -> None:
        """Report that nothing was sent: everything goes back."""
        self.payment.leave_queue()
        if self._is_queued:
            self._leave_queue()
        if self.permit is not None and self._plan.breaker is not None:
            self._plan.breaker.released(self.permit)
        self.permit = None
        self.payment.undo()
        self.release_slot()

    # --- the steps, each of which returns None when the attempt has passed it -----------------

    def _leave_queue(self) -> bool:
        """Leave the queue for a slot; return whether the slot is ours."""
        self._is_queued = False
        assert self._plan.admission is not None
        assert self.slot is not None
        return self._plan.admission.settle(self.slot)

    def _now_after_wait(self) -> float:
        """Return the present instant; a wait that a test clock cut short counts as waited in full."""
        now = self._clock_now()
        if self._due is not None:
            due, self._due = self._due, None
            if self._waits_for_quota:
                self._plan.emit("quota_waited", wait_for=due - self.now)
                self.payment.count_wait(due - self.now, now)
            self.waited += due - self.now
            if now < due:
                self.time_ahead += due - now
                now = due
        self.now = now
        return now

    def _clock_now(self) -> float:
        """Return the call's time; what the machine has slept since this was last read is taken off the deadline."""
        self.deadline -= self._sleep_watch.seconds_slept()
        return self._plan.clock.monotonic() + self.time_ahead

    def _wait_for_hold(self, now: float) -> Step | None:
        """Wait, holding nothing, until the API lets the attempt be sent, if the deadline allows; else reject.

        What somebody has isolated is rejected at once.
        """
        plan = self._plan
        isolation = plan.isolation()
        if isolation is not None:
            return self._raise(plan.reject_isolated(isolation))
        ready = plan.hold.ready_at(now)
        if ready <= now or plan.resumed:
            plan.end_holds(now)
            return None
        if not plan.fits_deadline(ready, self.deadline):
            return self._reject(QuotaExceededError, HELD, ready, "hold")
        self.withdraw()
        self._due, self._waits_for_quota = ready, False
        return Step(Action.WAIT, ready - now)

    def _pay(self, now: float) -> Step | None:
        """Pay the quota now, or wait for it if the deadline allows."""
        ready_at = self.payment.pay(now, self.deadline)
        if ready_at is None:
            return None
        self.release_slot()  # a call waiting for quota holds no slot
        if not self._plan.fits_deadline(ready_at, self.deadline):
            return self._reject(QuotaExceededError, CUT_OFF if self.payment.is_cut_off else QUOTA_FULL, ready_at)
        self._due, self._waits_for_quota = ready_at, True
        return Step(Action.WAIT, ready_at - now)

    def _take_slot(self, now: float) -> Step | None:
        """Take a slot, or wait for one; the quota is paid again after that."""
        admission = self._plan.admission
        if admission is None or self.slot is None or self.slot in admission.running or admission.try_enter(self.slot):
            return None
        self.payment.undo()  # a call waiting for a slot has consumed no quota
        return Step(Action.PARK, max(0.0, min(admission.settings.queue_timeout, self.deadline - now)))

    def _take_permit(self, now: float) -> Step:
        breaker = self._plan.breaker
        if breaker is None:
            return self._send()
        self.permit = breaker.admit(now, self.trial, high_priority=self._high_priority)
        self._plan.emit_breaker_events()
        if self.permit is None:
            return self._breaker_wait_or_reject(now, breaker.ready_at(now))
        return self._send()

    def _send(self) -> Step:
        """Send, unless the deadline has passed meanwhile: a listener of these steps' events may be slow."""
        self.now = max(self.now, self._clock_now())
        return self._reject(DeadlineExceededError, EXPIRED) if self.now >= self.deadline else Step(Action.SEND)

    def _breaker_wait_or_reject(self, now: float, ready: float) -> Step:
        """Wait for the breaker, holding nothing, where the policy says so; else reject."""
        due = ready if ready > now else now + POLL_INTERVAL
        waits = self._plan.wait_for_breaker
        answer_by = self._trial_answer_by(now, ready)
        if answer_by > now:
            due, waits = min(now + ANSWER_INTERVAL, answer_by), True
        if not waits or due >= self.deadline:
            return self._reject(CircuitOpenError, BREAKER_OPEN, ready)
        self.withdraw()
        self._due, self._waits_for_quota = due, False
        return Step(Action.WAIT, due - now)

    def _trial_answer_by(self, now: float, ready: float) -> float:
        """Return until when the attempt waits to learn whether it is the trial of several processes; at most `now`."""
        breaker = self._plan.breaker
        lease = None if breaker is None else breaker.lease
        return -inf if lease is None or ready > now else lease.asked_until

    def _reject(self, kind: type, message: str, retry_at: float = inf, reason: str | None = None) -> Step:
        return self._raise(self._plan.new_rejection(kind, message, retry_at, reason=reason))

    def _raise(self, rejection: Exception) -> Step:
        self.withdraw()
        self.rejection = rejection
        return Step(Action.RAISE, rejection)
