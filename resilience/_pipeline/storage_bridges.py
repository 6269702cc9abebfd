"""Finds the pybreaker storage of a breaker: one for all policies, or one for each policy that is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from .._core.base.clock import Clock
from .._core.base.events import Events
from .._core.stages.breaker import Breaker
from .._core.stages.pybreaker_state import ListenerAdapter
from .pybreaker_bridge import PybreakerBridge

__all__ = ["StorageBridges"]


class StorageBridges:
    """The bridges of one set of policies, one for each storage. Safe across threads.

    Args:
        storages: a pybreaker storage for the breakers of all policies, or storages by the names of policies, or None.
        clock: Unix time.
        events: gets `breaker_store_failed`.
        breakers: returns the breakers of a policy, or all of them for None.

    Raises:
        TypeError: it is no storage.
    """

    def __init__(
        self, storages: Any, clock: Clock, events: Events, breakers: Callable[[str | None], Iterable[Breaker]]
    ) -> None:
        by_policy: Mapping[str | None, Any] = storages if isinstance(storages, Mapping) else {None: storages}
        wanted = {policy: storage for policy, storage in by_policy.items() if storage is not None}
        for storage in wanted.values():
            _check_storage(storage)
        policies: dict[int, list[str | None]] = {}
        for policy, storage in wanted.items():
            policies.setdefault(id(storage), []).append(policy)
        bridges: dict[int, PybreakerBridge] = {}
        for storage in wanted.values():
            if id(storage) not in bridges:  # two policies may share one
                find = partial(_breakers_of, breakers, tuple(policies[id(storage)]))
                bridges[id(storage)] = PybreakerBridge(storage, clock, events, find)
        self._bridges = {policy: bridges[id(storage)] for policy, storage in wanted.items()}

    def watch(self, breaker: Breaker) -> ListenerAdapter | None:
        """Couple a new breaker with its storage; returns the listener of its changes, or None if it has no storage."""
        bridge = self._bridges.get(None) or self._bridges.get(breaker.policy)
        return None if bridge is None else bridge.watch(breaker)


def _breakers_of(breakers: Callable[[str | None], Iterable[Breaker]], policies: Iterable[str | None]) -> list[Breaker]:
    return [breaker for policy in policies for breaker in breakers(policy)]


def _check_storage(storage: Any) -> None:
    """Refuse what is no storage, by the names of its classes: pybreaker is imported in one module alone."""
    kinds = ((kind.__module__.partition(".")[0], kind.__name__) for kind in type(storage).__mro__)
    if ("pybreaker", "CircuitBreakerStorage") in kinds:
        return
    kind = f"the class {storage.__name__}" if isinstance(storage, type) else f"a {type(storage).__name__}"
    raise TypeError(
        "pybreaker_storage takes an object derived from pybreaker.CircuitBreakerStorage, or a mapping of policy names"
        f" to such objects, not {kind}"
    )
