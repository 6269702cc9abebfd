"""Resolves a pipeline for one operation: everything a call needs, looked up once.

Nothing is decided here: `recovery.py` reads a plan and decides, the drivers read it and wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from ..base.clock import Clock
from ..base.events import Events
from ..classify.classifier import Classifier
from ..classify.control_flow import ControlFlow
from ..classify.returned_errors import PLAIN
from ..policy.policy import Policy
from ..policy.sections import ReconcileSettings
from ..stages.admission import Admission, priority
from ..stages.breaker import Breaker, Permit
from ..stages.budget import Budget
from ..stages.hold import Holds, OperationHold
from ..stages.quota import Quotas
from ..stages.retry import Schedule
from .deferred_results import deferred_error, is_deferred
from .idempotency_key import KeySlot
from .operation_info import OperationInfo, fence_of
from .rejection_factory import RejectionFactory

__all__ = ["PLAIN", "Plan"]

PermitOrGeneration = int | Permit


class Plan:
    """Everything one operation's calls need. Built once, shared by threads and tasks, never changed."""

    __slots__ = (
        "_classifier",
        "_skip",
        "admission",
        "attempt_timeout",
        "breaker",
        "budget",
        "clock",
        "control_flow",
        "deadline",
        "events",
        "fence",
        "fn",
        "hold",
        "idempotent",
        "info",
        "inspect_result",
        "keys",
        "needs_gate",
        "new_rejection",
        "new_stamps",
        "operation",
        "policy",
        "quotas",
        "rate_window",
        "reconcile",
        "rules",
        "schedule",
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
        self.budget = budget
        self.quotas = quotas
        self.admission = admission
        self.hold = hold or Holds().of(info.host, info.account, info.operation, policy.name)
        # Where both are absent, the breaker's generation alone lets a first attempt through, and no gate is made.
        self.needs_gate = quotas is not None or admission is not None
        self.rate_window = quotas.single_window if quotas is not None and admission is None else None
        self._skip = skip
        # inf instead of None: the drivers compare instants without a check for None.
        self.deadline = inf if policy.deadline is None else policy.deadline
        self.attempt_timeout = inf if policy.attempt_timeout is None else policy.attempt_timeout
        self.idempotent = bool(info.idempotent) or info.read
        make_key = info.make_key or make_key
        self.keys = KeySlot(info.key, fn, None if info.needs_consent else make_key) if info.key else None
        self.rules = policy.reconcile or ReconcileSettings()
        self.fence = fence_of(self.rules, info)
        self.new_stamps = info.new_stamps
        self.reconcile: Any = info.reconcile  # called only where there is one: see `reconcilable` and `confirmable`
        self.inspect_result = self._inspector()
        # One factory per operation: its first rejection of a kind is the template of all later ones.
        self.new_rejection = RejectionFactory(info.rejection_types, policy.name, info.operation, clock).make

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
    def retry_safety(self) -> str:
        """Return in a word why a call may be sent again or not: the event field of that name."""
        if self.info.read:
            return "read"
        return "idempotent" if self.idempotent else "reconciled" if self.reconcilable else "write"

    @property
    def window(self) -> float | None:
        """Return the seconds for which the policy wants a stamp to be accepted, or None."""
        return self.rules.window

    @property
    def wait_for_breaker(self) -> bool:
        """Return whether a first attempt waits for the breaker."""
        return self.policy.breaker is not None and self.policy.breaker.when_open == "wait"

    def fits_deadline(self, instant: float, deadline: float) -> bool:
        """Return whether an attempt may begin at this instant.

        A write that is looked up needs all of its time before the deadline: cut short, it would be uncertain with no
        time left for a lookup.
        """
        need = self.attempt_timeout if self.reconcilable and self.attempt_timeout != inf else 0.0
        return instant < deadline and instant + need <= deadline

    def lane(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Return the lane of a call; empty for the default one."""
        lane = self.info.lane
        return (lane(args[self._skip :], kwargs) if callable(lane) else lane) or ""

    def high_priority(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Return whether a call's lane has a priority above the default one."""
        return self.info.lane is not None and priority(self.policy.admission, self.lane(args, kwargs)) > 0

    def weights(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the weight of a call in each quota."""
        return () if self.quotas is None else self.quotas.weights(args[self._skip :], kwargs)

    def quota_ready_at(self, instant: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> float:
        """Return when the quotas allow an attempt that is due at this instant: then, later, or never (inf)."""
        if self.quotas is None:
            return instant
        high_priority = self.high_priority(args, kwargs)
        costs = self.quotas.costs(instant, self.weights(args, kwargs), None, high_priority=high_priority)
        return max([instant, *(window.ready_at(instant, weight) for window, weight in costs)])

    def pay_at_once(self, now: float) -> PermitOrGeneration | None:
        """Return the permit of a first attempt that pays several windows at once; None where it needs a gate.

        A driver asks only where no hold concerns the operation.

        True is the permit where there is no breaker.
        """
        if self.admission is not None or self.quotas is None or self.quotas.single_window is not None:
            return None
        permit = True if self.breaker is None else self.breaker.generation
        return permit if permit and self.quotas.pay_at_once(now) else None

    def emit(self, name: str, **fields: Any) -> None:
        """Emit an event of this operation if anybody listens."""
        if self.events.listeners:
            self.events.emit(name, policy=self.policy.name, operation=self.operation, **fields)

    def emit_breaker_events(self) -> None:
        """Emit the events that the breaker has queued."""
        if self.breaker is not None:
            self.breaker.emit(self.emit, self.fn)

    def report_limits(self, **limits: float | None) -> None:
        """Take what the API says of its limits; see `Quotas.report_limits`."""
        assert self.quotas is not None, "`CurrentCall.has_quota` is checked before"
        self.quotas.report_limits(self.clock.monotonic(), **limits)

    def _inspector(self) -> Callable[[Any], Any]:
        """Return a check of values that are not `PLAIN`: None for a good one, else the error or the bad answer."""
        info, classifier = self.info, self._classifier
        is_error_response = info.is_error_response
        classifies = info.classify_results and self.policy.classify_results

        def inspect_result(result: Any) -> Any:
            # A sync pipeline around an async function would report a success of a call that has not run.
            if is_deferred(type(result)):
                return deferred_error(result, info.operation)
            if not classifies or result.__class__ in PLAIN:
                return None
            error = classifier().error_in(result)
            if error is not None:
                return error
            return result if is_error_response is not None and is_error_response(result) else None

        return inspect_result
