"""A pipeline resolved for one operation: everything a call needs, looked up once.

Nothing here decides or waits: `recovery.py` reads a plan and decides, the drivers read it and wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from types import CoroutineType
from typing import Any

from ..base.clock import Clock
from ..base.events import Events
from ..classify.classifier import Classifier
from ..policy.policy import Policy
from ..policy.sections import ReconcileSettings
from ..stages.admission import Admission, priority
from ..stages.breaker import Breaker, Permit
from ..stages.budget import Budget
from ..stages.quota import Quotas
from ..stages.retry import Schedule
from .idempotency_key import KeySlot
from .operation_info import OperationInfo, fence_of
from .rejection_factory import RejectionFactory

__all__ = ["PLAIN", "Plan"]

PermitOrGeneration = int | Permit
PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset})
"""Classes whose values are never an error, nor anything that must be looked into."""


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
        "deadline",
        "events",
        "fence",
        "fn",
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
        skip: int = 0,
    ) -> None:
        """Resolve a policy for one function; `classifier` and `schedule` are asked at the first failure.

        `skip` says how many leading arguments are ours and no business of the functions that tell weights and lanes.
        """
        self.policy = policy
        self.info = info
        self.fn = fn
        self.operation = info.operation
        self.clock = clock
        self.events = events
        self._classifier = classifier
        self.schedule = schedule
        self.breaker = breaker
        self.budget = budget
        self.quotas = quotas
        self.admission = admission
        self.needs_gate = quotas is not None or admission is not None
        self.rate_window = quotas.plain if quotas is not None and admission is None else None
        self._skip = skip
        self.deadline = inf if policy.deadline is None else policy.deadline
        self.attempt_timeout = inf if policy.attempt_timeout is None else policy.attempt_timeout
        self.idempotent = bool(info.idempotent) or info.read
        self.keys = KeySlot(info.key, fn, make_key) if info.key else None
        self.rules = policy.reconcile or ReconcileSettings()
        self.fence = fence_of(self.rules, info)
        self.new_stamps = info.new_stamps
        self.reconcile: Any = info.reconcile  # asked only where there is one: see `reconcilable` and `confirmable`
        self.inspect_result = self._inspector()
        self.new_rejection = RejectionFactory(info.rejection_types, policy.name, info.operation, clock).make

    @property
    def classifier(self) -> Classifier:
        """Return the classifier; the code tables are read at the first failure."""
        return self._classifier()

    @property
    def reconcilable(self) -> bool:
        """Tell whether a write in doubt can be looked up."""
        return self.info.reconcile is not None and not self.idempotent

    @property
    def confirmable(self) -> bool:
        """Tell whether the goal of a harmless write, such as a cancel, can be looked up."""
        return self.info.reconcile is not None and self.idempotent and not self.info.read

    @property
    def retry_safety(self) -> str:
        """Return why a call may be sent again or not, in a word."""
        if self.info.read:
            return "read"
        return "idempotent" if self.idempotent else "reconciled" if self.reconcilable else "write"

    @property
    def window(self) -> float | None:
        """Return the seconds for which the policy wants a stamp to be accepted, or None."""
        return self.rules.window

    @property
    def wait_for_breaker(self) -> bool:
        """Tell whether a first attempt waits for the breaker."""
        return self.policy.breaker is not None and self.policy.breaker.when_open == "wait"

    def fits_deadline(self, at: float, deadline: float) -> bool:
        """Tell whether an attempt may begin at this instant: a write that may be in doubt needs all of its time."""
        need = self.attempt_timeout if self.reconcilable and self.attempt_timeout != inf else 0.0
        return at < deadline and at + need <= deadline

    def lane(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Return the lane of a call; empty for the usual one."""
        told = self.info.lane
        return (told(args[self._skip :], kwargs) if callable(told) else told) or ""

    def high_priority(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Tell whether a call's lane has a priority above the usual one."""
        return self.info.lane is not None and priority(self.policy.admission, self.lane(args, kwargs)) > 0

    def weights(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[int, ...]:
        """Return what a call is worth to each quota."""
        return () if self.quotas is None else self.quotas.weights(args[self._skip :], kwargs)

    def quota_ready_at(self, at: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> float:
        """Return the instant from which the quotas would let an attempt go: this one, later, or never (inf)."""
        if self.quotas is None:
            return at
        costs = self.quotas.costs(at, self.weights(args, kwargs), None, high_priority=self.high_priority(args, kwargs))
        return max([at, *(rate_window.ready_at(at, weight) for rate_window, weight in costs)])

    def pay_at_once(self, now: float) -> PermitOrGeneration | None:
        """Let a first attempt through where nobody waits and several windows have room; None sends it to the door.

        True stands for the leave of a breaker that is not there.
        """
        if self.admission is not None or self.quotas is None or self.quotas.plain is not None:
            return None
        gate = True if self.breaker is None else self.breaker.generation
        return gate if gate and self.quotas.pay_at_once(now) else None

    def emit(self, name: str, **fields: Any) -> None:
        """Send an event if anybody listens."""
        if self.events.listeners:
            self.events.emit(name, policy=self.policy.name, operation=self.operation, **fields)

    def emit_breaker_events(self) -> None:
        """Send what the breaker has queued."""
        if self.breaker is not None:
            self.breaker.emit(self.emit, self.fn)

    def report_limits(self, **told: float | None) -> None:
        """Learn what the API says of its limits; see `Quotas.told`."""
        assert self.quotas is not None, "who tells has asked `CurrentCall.limited` before"
        self.quotas.told(self.clock.monotonic(), **told)

    def _inspector(self) -> Callable[[Any], Any]:
        """Make the check of returned values that are not plain: None for a good one, else the error or bad answer."""
        info, classifier = self.info, self._classifier
        is_error_response, judged = info.is_error_response, info.classify_results and self.policy.classify_results

        def inspect_result(result: Any) -> Any:
            if result.__class__ is CoroutineType:
                result.close()
                return TypeError(f"{info.operation} returned a coroutine: wrap it as an async function")
            if not judged or result.__class__ in PLAIN:
                return None
            error = classifier().error_in(result)
            if error is not None:
                return error
            return result if is_error_response is not None and is_error_response(result) else None

        return inspect_result
