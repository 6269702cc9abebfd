"""Resolves what is checked before an attempt, for one operation: hold, breaker, quota and slots, and what a call pays.

Made when a function is compiled, so that a gate gets all that it needs as one object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...errors import CircuitOpenError
from ..base.clock import Clock
from ..base.slots import copy_slots
from ..policy.policy import Policy
from ..stages.admission import Admission
from ..stages.breaker import Breaker, Permit
from ..stages.hold import OperationHold
from ..stages.isolation import Isolation, cancels_only, isolation_text
from ..stages.lanes import priority
from ..stages.quota import Quotas, pay_at_once
from .context import inherited
from .operation_info import OperationInfo

__all__ = ["GatePlan", "PermitOrGeneration", "SharedParts"]

PermitOrGeneration = int | Permit


class SharedParts(NamedTuple):
    """What the attempts of several operations share, each None where the policy has none but for the hold."""

    breaker: Breaker | None
    quotas: Quotas | None
    admission: Admission | None
    hold: OperationHold


class GatePlan:
    """Everything the gates of one operation need. Built once, shared by threads and tasks, never changed.

    Attributes:
        admission: the shared slots, or None.
        breaker: the shared breaker, or None.
        clock: the time to wait by.
        emit: emits an event of the operation.
        emit_breaker_events: emits the events that the breaker has queued.
        fixed_lane: the lane of every call, empty for the default one; None where the arguments decide.
        hold: the shared holds of the operation.
        is_cancel: the operation cancels orders and does nothing else.
        is_needed: there is more than a breaker, whose generation alone lets a first attempt through without a gate.
        new_rejection: makes a rejection.
        quotas: what the operation pays, or None.
        rate_window: the only window that it pays, if that is all that an attempt needs, else None.
        wait_for_breaker: a first attempt waits for the breaker.
    """

    __slots__ = (
        "_lane",
        "_lanes",
        "_needs",
        "_policy",
        "_skip",
        "admission",
        "breaker",
        "clock",
        "emit",
        "emit_breaker_events",
        "fixed_lane",
        "hold",
        "is_cancel",
        "is_needed",
        "new_rejection",
        "quotas",
        "rate_window",
        "resumed",
        "wait_for_breaker",
    )  # fmt: skip

    def __init__(
        self,
        policy: Policy,
        info: OperationInfo,
        parts: SharedParts,
        *,
        clock: Clock,
        emit: Callable[..., None],
        emit_breaker_events: Callable[[], None],
        new_rejection: Callable[..., Exception],
        needs: float,
        skip: int,
    ) -> None:
        """Resolve a policy for the gates of one operation.

        Args:
            policy: the settings.
            info: the operation.
            parts: what is shared.
            clock: the time to wait by.
            emit: emits an event of the operation.
            emit_breaker_events: emits the events that the breaker has queued.
            new_rejection: makes a rejection.
            needs: seconds that an attempt must have left before the deadline.
            skip: how many leading arguments the functions that return lanes and weights do not get.
        """
        self.breaker, self.quotas, self.admission, self.hold = parts
        self.clock = clock
        self.emit = emit
        self.emit_breaker_events = emit_breaker_events
        self.new_rejection = new_rejection
        self.wait_for_breaker = policy.breaker is not None and policy.breaker.when_open == "wait"
        self.is_needed = self.quotas is not None or self.admission is not None
        self.rate_window = self.quotas.single_window if self.quotas is not None and self.admission is None else None
        self._policy = policy.name
        self._lane = info.lane
        self.fixed_lane = None if callable(info.lane) else info.lane or ""
        self._lanes = policy.admission
        self._needs = needs
        self._skip = skip
        self.resumed = info.resumed
        self.is_cancel = info.prepares_cancel or cancels_only(info.operation)

    def with_breaker(self, breaker: Breaker, emit_breaker_events: Callable[[], None]) -> GatePlan:
        """Return a copy for the calls of another breaker."""
        copy = copy_slots(self)
        copy.breaker, copy.emit_breaker_events = breaker, emit_breaker_events
        return copy

    def fits_deadline(self, instant: float, deadline: float) -> bool:
        """Return whether an attempt may begin at this instant.

        A write that is looked up needs all of its time before the deadline: cut short, it would be uncertain with no
        time left for a lookup.
        """
        return instant < deadline and instant + self._needs <= deadline

    def isolation(self, *, in_lookup: bool = False) -> Isolation | None:
        """Return the isolation that keeps an attempt of this operation from being sent now, or None.

        What a lookup of a write in doubt sends passes: without it the write would stay in doubt. So does the attempt of
        an earlier process, which sends nothing and is followed by a lookup.
        """
        isolation = self.hold.isolation(self._policy)
        if isolation is None or (isolation.cancels and self.is_cancel):
            return None
        return None if in_lookup or self.resumed or _in_lookup() else isolation

    def reject_isolated(self, isolation: Isolation) -> Exception:
        """Return the error of an attempt that an isolation rejects, and count it."""
        next(isolation.refusals)
        return self.new_rejection(CircuitOpenError, isolation_text(isolation), reason="isolated")

    def passes_as_lookup(self) -> bool:
        """Return whether an attempt is sent although its policy may be isolated, because a lookup makes it.

        What it calls in turn is part of the lookup too.
        """
        return bool(self.hold.current) and _in_lookup()

    def end_holds(self, now: float) -> None:
        """Forget the holds that are over, and emit their end."""
        for hold in self.hold.end_over(now):
            self.emit("hold_ended", scope=hold.scope, host=hold.host, reason="over")

    def lane(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Return the lane of a call; empty for the default one."""
        lane = self._lane
        return (lane(args[self._skip :], kwargs) if callable(lane) else lane) or ""

    def high_priority(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Return whether a call's lane has a priority above the default one."""
        return self._lane is not None and priority(self._lanes, self.lane(args, kwargs)) > 0

    def weights(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the weight of a call in each quota."""
        return () if self.quotas is None else self.quotas.weights(args[self._skip :], kwargs)

    def quota_ready_at(self, instant: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> float:
        """Return when the quotas allow an attempt that is due at this instant: then, later, or never (inf)."""
        window = self.rate_window
        if self.quotas is None or (
            window is not None and window.fast_path and window.sends[0] + window.span <= instant < window.until
        ):
            return instant
        high_priority = self.high_priority(args, kwargs)
        weights = self.weights(args, kwargs)
        costs = self.quotas.costs(instant, weights, None, high_priority=high_priority, is_cancel=self.is_cancel)
        return max([instant, *(window.ready_at(instant, weight) for window, weight in costs)])

    def admit_retry_at_once(self, now: float) -> PermitOrGeneration | None:
        """Return the permit of a retry that is sent at once, having paid its quotas; None where it needs a gate.

        It is let through as a driver lets a first attempt through: by a closed breaker and by windows that have room.
        True is the permit where there is no breaker.
        """
        permit: PermitOrGeneration | None = True if self.breaker is None else self.breaker.generation
        windows = () if self.quotas is None else self.quotas.unit_windows
        if not permit or windows is None or self.admission is not None or self.hold.current:
            return None
        return permit if pay_at_once(windows, now) else None


def _in_lookup() -> bool:
    context = inherited()
    return context is not None and context.in_lookup
