"""Makes the clients of a run, with or without a policy, and monitors their pipelines.

Each client has a breaker, a budget and a quota of its own, as a process of the real world has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .._core.base.clock import Clock
from .._core.base.event import Event
from .._core.policy.codes import CodeTable
from .._core.policy.policy import Policy
from .._core.policy.policy_set import PolicySet
from .._pipeline.pipeline import Pipeline
from .._pipeline.shared_state import SharedState

__all__ = ["Call", "Client", "RunMonitor", "baseline_client", "policy_client"]

Call = Callable[[], Awaitable[Any]]
Client = Callable[[Call, Any, Random], Call]
"""Wraps the transport of one client: (send, clock, random) → call."""

_BREAKER_STATES = {"circuit_opened": "open", "circuit_half_opened": "half-open", "circuit_closed": "closed"}


@dataclass(slots=True)
class RunMonitor:
    """Counts the events of one run and samples the retry budgets.

    Attributes:
        events: number of events by name.
        breaker_changes: every change of a breaker: (instant, the client's number, the new state).
        budget_levels: (instant, retries that the budget of a client has left on average), in order of time.
        clients: number of clients that are monitored.
    """

    events: Counter[str] = field(default_factory=Counter)
    breaker_changes: list[tuple[float, int, str]] = field(default_factory=list)
    budget_levels: list[tuple[float, float]] = field(default_factory=list)
    clients: int = 0
    _budgets: list[Any] = field(default_factory=list)

    def listener(self, now: Callable[[], float]) -> Callable[[Event], None]:
        """Return the listener for the events of one more client."""
        self.clients += 1
        return _EventCounter(self, self.clients - 1, now)

    def sample(self, now: float) -> None:
        """Note how many retries the budgets have left."""
        if self._budgets:
            left = sum(max(0.0, budget.left(now)) for budget in self._budgets)
            self.budget_levels.append((now, left / len(self._budgets)))

    def add_budget(self, budget: Any) -> None:
        """Sample this budget of a client too; None is no budget."""
        if budget is not None:
            self._budgets.append(budget)


class _EventCounter:
    """Counts the events of one client by their names; only the changes of its breaker are made for it."""

    __slots__ = ("_breaker_changes", "_events", "_now", "_number")

    def __init__(self, monitor: RunMonitor, number: int, now: Callable[[], float]) -> None:
        self._events, self._breaker_changes = monitor.events, monitor.breaker_changes
        self._number, self._now = number, now

    def wants_event(self, name: str, _fields: Mapping[str, Any]) -> bool:
        """Count an event, and say that it need not be made, unless it is a change of the breaker."""
        if name in _BREAKER_STATES:
            return True  # counted when it is delivered, because it may be asked for twice
        self._events[name] += 1
        return False

    def __call__(self, event: Event) -> None:
        """Count and record a change of the breaker."""
        self._events[event.name] += 1
        self._breaker_changes.append((self._now(), self._number, _BREAKER_STATES[event.name]))


def baseline_client(send: Call, _clock: Clock, _random: Random) -> Call:
    """Call without a policy: one attempt, whose answer or error the caller gets."""
    return send


def policy_client(
    policy: Policy,
    *,
    idempotent: bool = True,
    operation: str | None = None,
    tables: Mapping[str, CodeTable] | None = None,
    monitor: RunMonitor | None = None,
) -> Client:
    """Return a client whose calls go through the real pipeline under this policy.

    Args:
        policy: the settings.
        idempotent: whether a request may be sent twice.
        operation: name of the operation.
        tables: the code tables that the policy names by path.
        monitor: monitors the run; None monitors nothing.
    """

    def client(send: Call, clock: Clock, random: Random) -> Call:
        listeners = () if monitor is None else (monitor.listener(clock.monotonic),)
        shared = SharedState(clock, *listeners, random=random.random)
        # Code tables that a file names by path are known to the shared state only.
        if tables:
            shared.take(PolicySet({}), PolicySet({policy.name: policy}, tables=tables))
        call = Pipeline(policy, idempotent=idempotent, operation=operation, shared=shared).compile(send)
        if monitor is not None:
            monitor.add_budget(shared.budget(policy))
        return call

    return client
