"""A pipeline resolved for one operation: everything a call needs, looked up once.

Nothing here decides or waits: `recovery.py` reads a plan and decides, the drivers read it and wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from types import CoroutineType
from typing import Any

from ..stages.admission import Admission, priority
from ..stages.breaker import Breaker, Permit
from ..stages.budget import Budget
from ..classify.classifier import Classifier
from ..base.clock import Clock
from ..base.events import Event, Events
from .idempotency_key import KeySlot
from ..policy.policy import Policy, Reconcile
from ..stages.quota import Quotas
from .reconcile import Fence
from ..stages.retry import Schedule
from .rejection_factory import Refusals

__all__ = ["PLAIN", "Binding", "Plan", "fence_of"]

Ticket = int | Permit
PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset})
"""Classes whose values are never an error, nor anything that must be looked into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """How one function or one method of a client takes part.

    Attributes:
        operation: the operation's name.
        idempotent: whether sending twice is harmless; None means a write.
        read: nothing is changed by it: `executed` is `n_a`.
        key: the parameter that carries the idempotency key: a keyword (`clientOid`), or a key
            inside a mapping parameter (`params.clientOid`); None carries none.
        reconcile: called with the call in doubt; returns `Found` or `NOT_FOUND`.
        registry: the client's own table of codes, asked before those of the policy.
        host: the host it talks to, for breakers and quotas by host.
        lane: the lane that its calls take, by name, or a function of their (args, kwargs) that tells it.
        account: a name of the account that gives nothing away.
        fence: the API's bounds W, P and L.
        refusals: our refusal → a subclass that also inherits the client's own error base.
        results: False when a returned value is never an error.
        bad: tells of a returned answer that it is a failure which the caller gets back as it is
            (an HTTP response with status 503).
        discard: closes a returned answer that is thrown away, before the next attempt, which may
            need its connection; async where the function is.
        once: the body cannot be replayed: it is sent once, whatever the policy says.
        resync: the client measures the server's clock when a stamp is refused, so that signing anew helps at once.
        signed: the client tells each attempt's stamp before anything of it is sent.
        windowed: a signed request carries the policy's window, so that the server holds it to that.
        resumed: the first attempt was made by a process that has ended.
        stamps: makes the list that an attempt's stamps are told to, where the operation is reconciled.
    """

    operation: str
    idempotent: bool | None = None
    read: bool = False
    key: str | None = None
    reconcile: Callable[..., Any] | None = None
    registry: str | None = None
    host: str | None = None
    account: str | None = None
    lane: str | Callable[[tuple[Any, ...], Mapping[str, Any]], str | None] | None = None
    fence: Fence | None = None
    refusals: Mapping[type, type] = field(default_factory=dict)
    results: bool = True
    bad: Callable[[Any], bool] | None = None
    discard: Callable[[Any], Any] | None = None
    once: bool = False
    resync: bool = False
    signed: bool = False
    windowed: bool = False
    resumed: bool = False
    stamps: Callable[[], list[float]] = list


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


def fence_of(rules: Reconcile, binding: Binding) -> Fence:
    """Return the API's bounds with those that the policy sets put in their place.

    A signed request that does not carry the policy's window is accepted for as long as any signed stamp:
    a shorter window in the policy changes nothing about that, and must not shorten the fence.
    """
    bounds = binding.fence or Fence()
    told = rules.stamp_window if binding.signed and not binding.windowed else rules.window
    return Fence(
        window=bounds.window if told is None else told,
        processing=bounds.processing if rules.processing is None else rules.processing,
        lag=bounds.lag if rules.lag is None else rules.lag,
    )
