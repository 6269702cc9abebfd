"""Who calls the service: clients of one kind, each with a state of its own, each a process in the real world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .._core.base.clock import Clock
from .._core.base.events import Event
from .._core.policy.codes import CodeTable
from .._core.policy.policy import Policy, PolicySet
from .._pipeline.pipeline import Pipeline
from .._pipeline.shared_state import SharedState

__all__ = ["Call", "Client", "Watch", "bare", "governed"]

Call = Callable[[], Awaitable[Any]]
Client = Callable[[Call, Any, Random], Call]
"""Puts one client's way of calling around the transport: (send, clock, random) → call."""

_STATES = {"circuit_opened": "open", "circuit_half_opened": "half-open", "circuit_closed": "closed"}


@dataclass(slots=True)
class Watch:
    """What was seen of the pipelines of one run.

    Attributes:
        events: how many there were of each name.
        turns: each breaker's changes: the instant, the client's number, the new state.
        levels: the retries that a client's budget has left, on average, at instants in order.
        clients: how many clients were seen.
    """

    events: Counter[str] = field(default_factory=Counter)
    turns: list[tuple[float, int, str]] = field(default_factory=list)
    levels: list[tuple[float, float]] = field(default_factory=list)
    clients: int = 0
    _budgets: list[Any] = field(default_factory=list)

    def listener(self, now: Callable[[], float]) -> Callable[[Event], None]:
        """Return who hears the events of one more client."""
        number, events, turns = self.clients, self.events, self.turns
        self.clients += 1

        def hear(event: Event) -> None:
            name = event.name
            events[name] += 1
            if name in _STATES:
                turns.append((now(), number, _STATES[name]))

        return hear

    def sample(self, now: float) -> None:
        """Look at every budget."""
        if self._budgets:
            left = sum(max(0.0, one.left(now)) for one in self._budgets)
            self.levels.append((now, left / len(self._budgets)))

    def budget(self, one: Any) -> None:
        """Look at this client's budget from now on; None is none."""
        if one is not None:
            self._budgets.append(one)


def bare(send: Call, _clock: Clock, _random: Random) -> Call:
    """Call without any policy: one attempt, and what it gives."""
    return send


def governed(
    policy: Policy,
    *,
    idempotent: bool = True,
    operation: str | None = None,
    tables: Mapping[str, CodeTable] | None = None,
    watch: Watch | None = None,
) -> Client:
    """Return clients whose calls go through the real pipeline under this policy.

    Args:
        policy: the settings.
        idempotent: whether the calls are harmless to repeat.
        operation: what they are called.
        tables: code tables that the policy names by their path.
        watch: hears what happens; without it nobody listens.
    """

    def client(send: Call, clock: Clock, random: Random) -> Call:
        listeners = () if watch is None else (watch.listener(clock.monotonic),)
        shared = SharedState(clock, *listeners, random=random.random)
        if tables:
            shared.take(PolicySet({}), PolicySet({policy.name: policy}, tables=tables))
        call = Pipeline(policy, idempotent=idempotent, operation=operation, shared=shared).compile(send)
        if watch is not None:
            watch.budget(shared.budget(policy))
        return call

    return client
