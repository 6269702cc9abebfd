"""A pipeline resolved for one operation: everything a call needs, looked up once.

Nothing here decides or waits: `recovery.py` reads a plan and decides, the drivers read it and wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from types import CoroutineType
from typing import Any

from ..base.clock import Clock
from ..base.events import Event, Events
from ..classify.classifier import Classifier
from ..policy.policy import Policy
from ..policy.sections import Reconcile
from ..stages.admission import Admission, priority
from ..stages.breaker import Breaker, Permit
from ..stages.budget import Budget
from ..stages.quota import Quotas
from ..stages.retry import Schedule
from .idempotency_key import KeySlot
from .operation_info import Binding, fence_of
from .rejection_factory import Refusals

__all__ = ["PLAIN", "Plan"]

Ticket = int | Permit
PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset})
"""Classes whose values are never an error, nor anything that must be looked into."""


class Plan:
    """Everything one operation's calls need. Built once, shared by threads and tasks, never changed."""

    __slots__ = (
        "_classifier", "_skip", "admission", "attempt_timeout", "binding", "breaker", "budget", "clock", "deadline",
        "events", "fence", "fn", "gated", "gauge", "idempotent", "inspect", "keys", "operation", "policy", "quotas",
        "reconcile", "refusal", "rules", "schedule", "stamps",
    )  # fmt: skip

    def __init__(
        self,
        policy: Policy,
        binding: Binding,
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
        self.binding = binding
        self.fn = fn
        self.operation = binding.operation
        self.clock = clock
        self.events = events
        self._classifier = classifier
        self.schedule = schedule
        self.breaker = breaker
        self.budget = budget
        self.quotas = quotas
        self.admission = admission
        self.gated = quotas is not None or admission is not None
        self.gauge = quotas.plain if quotas is not None and admission is None else None
        self._skip = skip
        self.deadline = inf if policy.deadline is None else policy.deadline
        self.attempt_timeout = inf if policy.attempt_timeout is None else policy.attempt_timeout
        self.idempotent = bool(binding.idempotent) or binding.read
        self.keys = KeySlot(binding.key, fn, make_key) if binding.key else None
        self.rules = policy.reconcile or Reconcile()
        self.fence = fence_of(self.rules, binding)
        self.stamps = binding.stamps
        self.reconcile: Any = binding.reconcile  # asked only where there is one: see `reconciled` and `confirmed`
        self.inspect = self._inspector()
        self.refusal = Refusals(binding.refusals, policy.name, binding.operation, clock).make

    @property
    def classifier(self) -> Classifier:
        """Return the classifier; the code tables are read at the first failure."""
        return self._classifier()

    @property
    def reconciled(self) -> bool:
        """Tell whether a write in doubt can be looked up."""
        return self.binding.reconcile is not None and not self.idempotent

    @property
    def confirmed(self) -> bool:
        """Tell whether the goal of a harmless write, such as a cancel, can be looked up."""
        return self.binding.reconcile is not None and self.idempotent and not self.binding.read

    @property
    def safety(self) -> str:
        """Return why a call may be sent again or not, in a word."""
        if self.binding.read:
            return "read"
        return "idempotent" if self.idempotent else "reconciled" if self.reconciled else "write"

    @property
    def window(self) -> float | None:
        """Return the seconds for which the policy wants a stamp to be accepted, or None."""
        return self.rules.window

    @property
    def patient(self) -> bool:
        """Tell whether a first attempt waits for the breaker."""
        return self.policy.breaker is not None and self.policy.breaker.wait == "all"

    def fits(self, at: float, deadline: float) -> bool:
        """Tell whether an attempt may begin at this instant: a write that may be in doubt needs all of its time."""
        need = self.attempt_timeout if self.reconciled and self.attempt_timeout != inf else 0.0
        return at < deadline and at + need <= deadline

    def lane(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Return the lane of a call; empty for the usual one."""
        told = self.binding.lane
        return (told(args[self._skip :], kwargs) if callable(told) else told) or ""

    def urgent(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Tell whether a call's lane has a priority above the usual one."""
        return self.binding.lane is not None and priority(self.policy.admission, self.lane(args, kwargs)) > 0

    def weights(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[int, ...]:
        """Return what a call is worth to each quota."""
        return () if self.quotas is None else self.quotas.weights(args[self._skip :], kwargs)

    def room_at(self, at: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> float:
        """Return the instant from which the quotas would let an attempt go: this one, later, or never (inf)."""
        if self.quotas is None:
            return at
        costs = self.quotas.costs(at, self.weights(args, kwargs), None, urgent=self.urgent(args, kwargs))
        return max([at, *(gauge.ready_at(at, weight) for gauge, weight in costs)])

    def at_once(self, now: float) -> Ticket | None:
        """Let a first attempt through where nobody waits and several windows have room; None sends it to the door.

        True stands for the leave of a breaker that is not there.
        """
        if self.admission is not None or self.quotas is None or self.quotas.plain is not None:
            return None
        gate = True if self.breaker is None else self.breaker.gate
        return gate if gate and self.quotas.at_once(now) else None

    def tell(self, name: str, **fields: Any) -> None:
        """Send an event if anybody listens."""
        if self.events.listeners:
            at = self.clock.time()
            self.events.emit(Event(name=name, policy=self.policy.name, operation=self.operation, at=at, **fields))

    def tell_breaker(self) -> None:
        """Send what the breaker has queued."""
        if self.breaker is not None:
            self.breaker.tell(self.tell, self.fn)

    def told_limits(self, **told: float | None) -> None:
        """Learn what the API says of its limits; see `Quotas.told`."""
        assert self.quotas is not None, "who tells has asked `CurrentCall.limited` before"
        self.quotas.told(self.clock.monotonic(), **told)

    def _inspector(self) -> Callable[[Any], Any]:
        """Make the check of returned values that are not plain: None for a good one, else the error or bad answer."""
        binding, classifier = self.binding, self._classifier
        bad, judged = binding.bad, binding.results and self.policy.results != "ignore"

        def inspect(result: Any) -> Any:
            if result.__class__ is CoroutineType:
                result.close()
                return TypeError(f"{binding.operation} returned a coroutine: wrap it as an async function")
            if not judged or result.__class__ in PLAIN:
                return None
            error = classifier().error_in(result)
            if error is not None:
                return error
            return result if bad is not None and bad(result) else None

        return inspect
