"""What an attempt passes before it is sent: breaker, quota, a slot, and the breaker's leave, in this order.

Sans-IO: `next_step` says to wait, to park or to send, or refuses; the driver does as it is told and asks
again. Who waits for the quota holds nothing, and who waits for a slot has paid nothing; whatever a
later step refuses gives back what was taken before it. One object an attempt, made only where an
attempt cannot go at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from ...errors import AdmissionRejectedError, CircuitOpenError, QuotaExceededError
from ..base.clock import Clock
from ..stages.admission import LaneSlots, Waiter
from ..stages.quota import Cost, pay, undo
from ..stages.rate_window import QueueTicket
from .plan import PermitOrGeneration, Plan
from .steps import Action, Step

__all__ = ["OPEN", "POLL", "AttemptGate"]

OPEN = "the circuit breaker is open"
"""What a refusal of the breaker says."""
POLL = 0.1
"""Seconds between two tries for a half-open permit that others hold."""


class AttemptGate:
    """One attempt on its way in. Used by one thread or task.

    Attributes:
        permit: the breaker's leave, where there is a breaker and the attempt may be sent.
        slot: the slot that it holds, or None.
        now: the instant of the last answer, waits that were cut short on purpose counted in full.
        waited: seconds waited for the quota or the breaker.
        rejection: what was refused, or None.
    """

    __slots__ = (
        "_costs",
        "_deadline",
        "_due",
        "_high_priority",
        "_lane",
        "_paying",
        "_plan",
        "_queue_ticket",
        "_skipped",
        "_waiter",
        "_weights",
        "now",
        "permit",
        "rejection",
        "slot",
        "waited",
    )  # fmt: skip

    def __init__(
        self, plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any], deadline: float, skipped: float = 0.0
    ) -> None:
        """Stand before it.

        Args:
            plan: the operation's plan.
            args: positional arguments of the call: they may tell its lane and its weight.
            kwargs: its keyword arguments.
            deadline: the instant by which the call must have ended.
            skipped: seconds by which this call's time is ahead of the clock.
        """
        self._plan = plan
        self._lane = plan.lane(args, kwargs)
        self._high_priority = plan.high_priority(args, kwargs)
        self._weights = plan.weights(args, kwargs)
        self._deadline = deadline
        self._skipped = skipped
        self._costs: list[Cost] = []
        self._queue_ticket: QueueTicket | None = None
        self._waiter: Waiter | None = None
        self._due: float | None = None
        self._paying = False
        self.now = 0.0
        self.waited = 0.0
        self.permit: PermitOrGeneration | None = None
        self.slot: LaneSlots | None = None
        self.rejection: Exception | None = None

    @property
    def clock(self) -> Clock:
        """The time to wait by."""
        return self._plan.clock

    @property
    def skipped(self) -> float:
        """Seconds by which this call's time is ahead of the clock now."""
        return self._skipped

    def next_step(self) -> Step:
        """Return what is next: WAIT and PARK with their seconds, SEND, or RAISE with a refusal."""
        now = self._now_after_wait()
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            assert self._plan.admission is not None
            self.slot = self._plan.admission.settle(waiter)
            if self.slot is None:
                return self._reject(AdmissionRejectedError, "too many calls are running and waiting")
        breaker = self._plan.breaker
        ready = now if breaker is None else breaker.ready_at(now)
        if ready > now:
            return self._breaker_wait_or_reject(now, ready)
        return self._pay(now) or self._enter(now) or self._admit(now)

    def join_queue(self, wake: Callable[[], Any]) -> bool:
        """Stand in the line of the slots; `wake` is called when it is time to ask. False says that it is time now."""
        assert self._plan.admission is not None
        waiter = self._waiter = self._plan.admission.join_queue(self._lane, wake)
        return waiter.state == "waiting"

    def release_slot(self) -> None:
        """Give the slot back: the attempt has ended."""
        slot, self.slot = self.slot, None
        if slot is not None and self._plan.admission is not None:
            self._plan.admission.release(slot)

    def withdraw(self) -> None:
        """Give everything back: nothing was sent."""
        queue_ticket, self._queue_ticket = self._queue_ticket, None
        if queue_ticket is not None:
            queue_ticket.cancel()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and self._plan.admission is not None:
            self.slot = self._plan.admission.settle(waiter)
        if self.permit is not None and self._plan.breaker is not None:
            self._plan.breaker.released(self.permit)
        self.permit = None
        self._undo_payment()
        self.release_slot()

    # --- the steps, each of which returns None when the attempt has passed it -----------------

    def _now_after_wait(self) -> float:
        """Return the instant; a wait that was cut short on purpose (tests do) counts as waited."""
        now = self._plan.clock.monotonic() + self._skipped
        if self._due is not None:
            due, self._due = self._due, None
            if self._paying:
                self._plan.emit("quota_waited", wait_for=due - self.now)
            self.waited += due - self.now
            if now < due:
                self._skipped += due - now
                now = due
        self.now = now
        return now

    def _pay(self, now: float) -> Step | None:
        """Pay the quota now, or wait for it if the deadline allows."""
        quotas = self._plan.quotas
        if quotas is None:
            return None
        costs = quotas.costs(now, self._weights, self._queue_ticket, high_priority=self._high_priority)
        at, slow = pay(now, costs, self._queue_ticket)
        if slow is None:
            self._costs, self._queue_ticket = costs, None
            return None
        self.release_slot()  # who waits for the quota holds no slot
        full = QuotaExceededError, "the quota has no room before the deadline"
        if not self._plan.fits_deadline(at, self._deadline):
            return self._reject(*full, at)
        if self._queue_ticket is not None and self._queue_ticket.rate_window is slow:
            self._queue_ticket.ready_at = at
        else:
            if self._queue_ticket is not None:
                self._queue_ticket.cancel()
            self._queue_ticket = slow.queue(now, next(weight for rate_window, weight in costs if rate_window is slow))
            at = max(at, self._queue_ticket.ready_at)
            if not self._plan.fits_deadline(at, self._deadline):
                return self._reject(*full, at)
        self._due, self._paying = at, True
        return Step(Action.WAIT, at - now)

    def _enter(self, now: float) -> Step | None:
        """Take a slot, or wait for one and pay later."""
        admission = self._plan.admission
        if admission is None or self.slot is not None:
            return None
        self.slot = admission.try_enter(self._lane)
        if self.slot is not None:
            return None
        self._undo_payment()
        return Step(Action.PARK, max(0.0, min(admission.settings.queue_timeout, self._deadline - now)))

    def _admit(self, now: float) -> Step:
        breaker = self._plan.breaker
        if breaker is None:
            return Step(Action.SEND)
        self.permit = breaker.admit(now, high_priority=self._high_priority)
        self._plan.emit_breaker_events()
        return (
            Step(Action.SEND) if self.permit is not None else self._breaker_wait_or_reject(now, breaker.ready_at(now))
        )

    def _breaker_wait_or_reject(self, now: float, ready: float) -> Step:
        """The breaker does not admit: wait for it, holding nothing, where the policy says so; else refuse."""
        at = ready if ready > now else now + POLL
        if not self._plan.wait_for_breaker or at >= self._deadline:
            return self._reject(CircuitOpenError, OPEN, ready)
        self.withdraw()
        self._due, self._paying = at, False
        return Step(Action.WAIT, at - now)

    def _reject(self, kind: type, message: str, at: float = inf) -> Step:
        self.withdraw()
        self.rejection = self._plan.new_rejection(kind, message, at)
        return Step(Action.RAISE, self.rejection)

    def _undo_payment(self) -> None:
        costs, self._costs = self._costs, []
        undo(self.now, costs)
