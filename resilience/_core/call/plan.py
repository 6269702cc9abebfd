"""Resolves a pipeline for one operation: everything a call needs, looked up once.

Nothing is decided here: `recovery.py` reads a plan and decides, the drivers read it and wait.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

from ..base.clock import Clock
from ..base.events import Events
from ..base.slots import copy_slots
from ..classify.classifier import Classifier
from ..classify.control_flow import ControlFlow
from ..classify.returned_errors import PLAIN, is_plain
from ..policy.policy import Policy
from ..policy.sections import ReconcileSettings
from ..stages.admission import Admission
from ..stages.breaker import Breaker
from ..stages.budget import Budget
from ..stages.hold import Holds, OperationHold
from ..stages.quota import Quotas
from ..stages.retry import Schedule
from .context import CallContext
from .deferred_results import deferred_error, is_deferred
from .driver_plan import DriverPlan
from .gate_plan import GatePlan, SharedParts
from .idempotency_key import KeySlot
from .operation_events import OperationEvents
from .operation_info import OperationInfo, fence_of
from .outcome_counts import OutcomeCounts
from .quick_gate import new_slot_of, take_at_once_of
from .rejection_factory import RejectionFactory
from .unsettled_writes import UnsettledWrites

__all__ = ["PLAIN", "Plan"]

_MAX_COPIES = 64
_LONGEST_BATCH = 500
"""The most items that an exchange takes in one batch; most take 20 to 50."""


class Plan:
    """Everything one operation's calls need. Built once, shared by threads and tasks, never changed."""

    __slots__ = (
        "_by_breaker",
        "_classifier",
        "attempt_timeout",
        "breaker",
        "budget",
        "call_counts",
        "clock",
        "control_flow",
        "counts",
        "deadline",
        "deliver",
        "emit",
        "emit_breaker_events",
        "emit_success",
        "events",
        "fence",
        "fn",
        "gate",
        "hold",
        "idempotent",
        "info",
        "inspect_result",
        "keys",
        "longest_batch",
        "new_rejection",
        "operation",
        "policy",
        "reconcile",
        "rejections",
        "rules",
        "schedule",
        "unsettled",
    )  # fmt: skip

    def __init__(
        self,
        policy: Policy,
        info: OperationInfo,
        fn: Callable[..., Any],
        *,
        clock: Clock,
        events: Events,
        classifier: Callable[[], Classifier],
        schedule: Callable[[], Schedule | None],
        breaker: Breaker | None,
        budget: Budget | None,
        make_key: Callable[[], str],
        quotas: Quotas | None = None,
        admission: Admission | None = None,
        hold: OperationHold | None = None,
        counts: OutcomeCounts | None = None,
        unsettled: UnsettledWrites | None = None,
        skip: int = 0,
    ) -> None:
        """Resolve a policy for one function.

        Args:
            policy: the settings.
            info: the operation.
            fn: the function that is called.
            clock: the time to wait by.
            events: the listeners.
            classifier: returns the classifier; called at the first failure.
            schedule: returns the retry schedule, or None without retries; called at the first failure.
            breaker: the shared breaker, or None.
            budget: the shared retry budget, or None.
            make_key: makes an idempotency key.
            quotas: what the operation pays, or None.
            admission: the shared slots, or None.
            hold: the shared holds of the operation; None makes holds of its own.
            counts: how the operation's calls have ended; None makes counts of its own.
            unsettled: the shared writes in doubt; None makes a list of its own.
            skip: how many leading arguments the functions that return lanes and weights do not get.
        """
        self.policy = policy
        self.info = info
        self.fn = fn
        self.operation = info.operation
        self.clock = clock
        self.events = events
        self._classifier = classifier
        self.control_flow = ControlFlow(policy.pass_through)
        self.schedule = schedule
        self.breaker = breaker
        self._by_breaker: dict[Breaker, Plan] = {}  # the last copies of `with_breaker`
        self.budget = budget
        # inf instead of None: the drivers compare instants without a check for None.
        self.deadline = inf if policy.deadline is None else policy.deadline
        self.attempt_timeout = inf if policy.attempt_timeout is None else policy.attempt_timeout
        self.idempotent = bool(info.idempotent) or info.read
        make_key = info.make_key or make_key
        self.keys = KeySlot(info.key, fn, None if info.needs_consent else make_key) if info.key else None
        self.rules = policy.reconcile or ReconcileSettings()
        self.fence = fence_of(self.rules, info)
        self.reconcile: Any = info.reconcile  # called only where there is one: see `reconcilable` and `confirmable`
        # The rows of a read are data. An idempotent function may be a read too: there a list that is longer than any
        # batch is data. So the cost of a good answer does not grow with its rows.
        self.longest_batch = 0 if info.read else _LONGEST_BATCH if self.idempotent else inf
        self.inspect_result = self._inspector()
        # One factory per operation: its first rejection of a kind is the template of all later ones.
        self.rejections = RejectionFactory(info.rejection_types, policy.name, info.operation, clock)
        self.new_rejection = self.rejections.make
        self.call_counts = self.counts = OutcomeCounts() if counts is None else counts
        self.unsettled = UnsettledWrites() if unsettled is None else unsettled
        self.hold = hold or Holds().of(info.host, info.account, info.operation, policy.name)
        operation_events = OperationEvents(events, policy.name, info, breaker, fn)
        self.emit, self.deliver = operation_events.emit, operation_events.deliver
        self.emit_breaker_events = operation_events.emit_breaker_events
        self.emit_success = operation_events.emit_success
        self.gate = GatePlan(
            policy,
            info,
            SharedParts(breaker, quotas, admission, self.hold),
            clock=clock,
            emit=self.emit,
            emit_breaker_events=self.emit_breaker_events,
            new_rejection=self.new_rejection,
            needs=self.attempt_timeout if self.reconcilable and self.attempt_timeout != inf else 0.0,
            skip=skip,
        )

    @property
    def quotas(self) -> Quotas | None:
        """Return what the operation pays, or None."""
        return self.gate.quotas

    @property
    def classifier(self) -> Classifier:
        """Return the classifier; the code tables are read at the first failure."""
        return self._classifier()

    @property
    def reconcilable(self) -> bool:
        """Return whether an uncertain write can be looked up."""
        return self.info.reconcile is not None and not self.idempotent

    @property
    def confirmable(self) -> bool:
        """Return whether an idempotent write has a reconciler."""
        return self.info.reconcile is not None and self.idempotent and not self.info.read

    @property
    def logs_sends(self) -> bool:
        """Return whether it matters what the attempts of a call report of what they send."""
        return self.reconcilable or self.confirmable or self.keys is not None

    @property
    def retry_safety(self) -> str:
        """Return in a word why a call may be sent again or not: the event field of that name."""
        if self.info.read:
            return "read"
        return "idempotent" if self.idempotent else "reconciled" if self.reconcilable else "write"

    @property
    def window(self) -> float | None:
        """Return the seconds for which the policy wants a stamp to be accepted, or None."""
        return self.rules.window

    def with_breaker(self, breaker: Breaker | None) -> Plan:
        """Return the plan of a call that has this breaker: a copy, unless it is the plan's own.

        Where a call finds its breaker by its arguments, its plan is made where it is needed: after a failure, at a
        gate, and where the breaker is not closed.
        """
        if breaker is self.breaker or breaker is None:
            return self
        return self._by_breaker.get(breaker) or self._make_copy(breaker)

    def _make_copy(self, breaker: Breaker) -> Plan:
        copy = copy_slots(self)
        copy.breaker = breaker
        copy._by_breaker = {}  # not the same one: a plan that referred to itself would outlive its last call
        copy.emit_breaker_events = partial(breaker.emit, self.emit, self.fn)
        copy.gate = self.gate.with_breaker(breaker, copy.emit_breaker_events)
        if len(self._by_breaker) >= _MAX_COPIES:
            self._by_breaker.clear()
        self._by_breaker[breaker] = copy
        return copy

    def for_driver(self) -> DriverPlan:
        """Return what a driver's hot path needs."""
        gate = self.gate
        return DriverPlan(
            now=self.clock.monotonic,
            limit=self.deadline,
            per_attempt=min(self.attempt_timeout, self.deadline),
            keys=self.keys,
            breaker=self.breaker,
            deposits=None if self.budget is None else self.budget.deposits,
            window=gate.rate_window,
            hold=gate.hold,
            take_at_once=take_at_once_of(gate) if gate.is_needed else None,
            new_slot=new_slot_of(gate),
            new_stamps=self.info.new_stamps if self.logs_sends else None,
            successes=self.counts.successes,
            counts=self.counts,
        )

    def count_attempts_apart(self) -> None:
        """Have the attempts of a race counted apart: the race itself counts its calls. Before anything is compiled."""
        self.counts = self.call_counts.count_races()

    def count_end(self, outcome: str, began: float, *, by_attempt: bool = True) -> None:
        """Count a call that has begun at a monotonic instant; see `OutcomeCounts.add`."""
        counts = self.counts
        counts.add(outcome, by_attempt=by_attempt)
        if counts.ok_durations is not None:
            now = self.clock.monotonic()
            counts.add_duration(outcome, now - began, now)

    def begin_first_attempt(self, now: float, deadline: float, key: str | None) -> CallContext:
        """Record that the first attempt of a call begins, which has passed its gate; return its context."""
        until = min(deadline, now + self.attempt_timeout)
        if self.budget is not None:
            self.budget.deposits.add_success(now)
        stamps = self.info.new_stamps() if self.logs_sends else None
        return CallContext(self, deadline, until, key, stamps, in_lookup=self.gate.passes_as_lookup())

    def isolation_error(self, *, in_lookup: bool) -> Exception | None:
        """Return the error of an attempt that must not be sent any more, or None; see `CurrentCall`."""
        isolation = self.gate.isolation(in_lookup=in_lookup) if self.hold.current else None
        return None if isolation is None else self.gate.reject_isolated(isolation)

    def report_limits(self, **limits: float | None) -> None:
        """Take what the API says of its limits; see `Quotas.report_limits`."""
        assert self.gate.quotas is not None, "`CurrentCall.has_quota` is checked before"
        self.gate.quotas.report_limits(self.clock.monotonic(), **limits)

    def _inspector(self) -> Callable[[Any], Any]:
        """Return a check of values that are not `PLAIN`: None for a good one, else the error or the bad answer."""
        info, classifier, longest_batch = self.info, self._classifier, self.longest_batch
        is_error_response = info.is_error_response
        classifies = info.classify_results and self.policy.classify_results

        def inspect_result(result: Any) -> Any:
            # A sync pipeline around an async function would report a success of a call that has not run.
            kind = result.__class__
            if kind is not dict and is_deferred(type(result)):
                return deferred_error(result, info.operation)
            if not classifies or (kind is not dict and is_plain(result)):
                return None
            error = classifier().error_in(result, longest_batch)
            if error is not None:
                return error
            return result if is_error_response is not None and is_error_response(result) else None

        return inspect_result
