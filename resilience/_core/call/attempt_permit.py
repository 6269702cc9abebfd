"""Holds the breaker's permit of the attempt under way, from its admission to its end: each is settled exactly once."""

from __future__ import annotations

from typing import Any

from ..classify.failure import Failure
from ..stages.breaker import Permit
from .attempt_end import counts_as_failure
from .attempt_gate import AttemptGate
from .gate_plan import PermitOrGeneration
from .plan import Plan
from .steps import FailedCall

__all__ = ["AttemptPermit"]


class AttemptPermit:
    """The permit of one call's attempts, of which one is under way at a time. Used by one thread or task.

    Attributes:
        trial: the permit that an attempt without a gate gets if the breaker is half-open; None before `new_trial`.
    """

    __slots__ = ("_permit", "_plan", "trial")

    def __init__(self, plan: Plan, permit: PermitOrGeneration | None) -> None:
        self._plan = plan
        self._permit = permit
        self.trial: Permit | None = None

    def new_trial(self) -> Permit | None:
        """Return the permit for a half-open breaker: one for all attempts that pass no gate, made for the first."""
        if self.trial is None and self._plan.breaker is not None:
            self.trial = Permit()
        return self.trial

    def take(self, now: float, call: FailedCall, gate: AttemptGate | None) -> bool:
        """Take the permit of the next attempt; False when the breaker rejects it.

        Args:
            now: the present instant.
            call: the call.
            gate: the gate that it has passed, or None where there is nothing but a breaker, which is checked here.
        """
        plan, permit = self._plan, None
        if gate is not None:
            permit = gate.permit
        elif plan.breaker is not None:
            high_priority = plan.gate.high_priority(call.args, call.kwargs)
            permit = plan.breaker.admit(now, self.new_trial(), high_priority=high_priority)
            plan.emit_breaker_events()
            if permit is None:
                return False
        self._permit = permit
        return True

    def take_at_once(self, permit: PermitOrGeneration) -> None:
        """Take the permit that the next attempt got without a gate."""
        self._permit = permit

    def settle(self, failure: Failure, outcome: Any, now: float, *, is_rejected: bool) -> None:
        """Report a failed attempt to the breaker: failures of the service count, everything else is neutral."""
        breaker, permit = self._plan.breaker, self._permit
        if breaker is not None and permit is not None:
            if counts_as_failure(failure) and not is_rejected:
                breaker.failed(permit, now, outcome)
            else:
                breaker.released(permit)
            self._permit = None
        self._plan.emit_breaker_events()

    def succeed(self, began: float) -> None:
        """Report an attempt that succeeded. Not settled yet: until the call has ended, an interrupt gives it back."""
        if self._permit is not None and self._plan.breaker is not None:
            self._plan.breaker.succeeded(self._permit, began)

    def release(self) -> None:
        """Report an attempt that was rejected or abandoned: it counts nowhere."""
        if self._plan.breaker is not None and self._permit is not None:
            self._plan.breaker.released(self._permit)
        self._plan.emit_breaker_events()
        self._permit = None
