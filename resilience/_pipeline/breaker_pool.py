"""Keeps the breakers that pipelines share: one per policy and key, and a bounded number of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from .._core.base.bounded_dict import BoundedDict
from .._core.base.clock import Clock
from .._core.base.events import Events
from .._core.base.fork_safety import new_lock
from .._core.policy.policy import Policy
from .._core.stages.breaker import Breaker
from .._core.stages.breaker_store import BreakerStore
from .._core.stages.pybreaker_state import ListenerAdapter, is_watcher
from .breaker_saving import BreakerSaving
from .storage_bridges import StorageBridges

__all__ = ["BreakerPool"]

MAX_BREAKERS = 1024  # closed breakers that are kept although nothing refers to them


class BreakerPool:
    """The breakers of one set of policies. Safe across threads, tasks and signal handlers.

    Where there are very many keys, closed breakers that have not been used for the longest time are forgotten; open
    ones never are, nor is a breaker that compiled calls refer to, so that there are never two for one key.

    Attributes:
        on_new: called with each new breaker, so that it is merged with those of other processes; it must not wait.
    """

    def __init__(
        self,
        clock: Clock,
        events: Events,
        max_breakers: int = MAX_BREAKERS,
        store: BreakerStore | None = None,
        is_switched_off: Callable[[str], object] = lambda _policy: None,
        pybreaker_storage: Any = None,
    ) -> None:
        self._is_switched_off = is_switched_off
        # Weak, by identity: two policies made in Python may have one name, and each its breaker.
        self._all: WeakValueDictionary[int, Breaker] = WeakValueDictionary()
        self._clock = clock
        self._events = events
        self._lock = new_lock()
        self._breakers: BoundedDict[tuple[str, str], Breaker] = BoundedDict(max_breakers, self._unused)
        self._marks: dict[tuple[str, str], tuple[int, int, int]] = {}
        self._without: frozenset[str] = frozenset()
        self._watchers: tuple[ListenerAdapter, ...] = ()
        _check_store(store)
        self._saving = None if store is None else BreakerSaving(store, clock, events, self._by_record_name)
        self.on_new: Callable[[Breaker], None] | None = None
        self._bridges = StorageBridges(pybreaker_storage, clock, events, self.all)
        self._own_watchers: WeakKeyDictionary[Breaker, tuple[ListenerAdapter, ...]] = WeakKeyDictionary()

    def get(self, policy: Policy, key: str, *, keep_state: bool = False) -> Breaker | None:
        """Return the one breaker of this policy and key, or None when the policy has none.

        Where its settings differ from the policy's, it takes the new settings and keeps its state if `keep_state` says
        that the policy is that of a file. Otherwise a new breaker replaces it, because two policies made in Python may
        have the same name.
        """
        name = (policy.name, key)
        if policy.breaker is None:
            return None
        with self._lock:
            breaker = self._breakers.get(name)
            if breaker is not None and keep_state:
                self._retune(breaker, policy)
            elif breaker is None:
                # `setdefault`: a signal handler may have made it while this was made, and there is one for each key.
                breaker = self._breakers.setdefault(name, self._new_breaker(policy, key))
            elif breaker.settings != policy.breaker:
                breaker = self._new_breaker(policy, key)
            self._breakers[name] = breaker
            return breaker

    def all(self, policy: str | None = None) -> tuple[Breaker, ...]:
        """Return every breaker that exists, or those of a policy, by policy and key."""
        # `valuerefs` copies in one call into C, so that another thread or a signal handler may add breakers.
        existing = [breaker for reference in self._all.valuerefs() if (breaker := reference()) is not None]
        wanted = [breaker for breaker in existing if policy is None or breaker.policy == policy]
        return tuple(sorted(wanted, key=lambda breaker: (breaker.policy, breaker.key)))

    def in_force(self) -> tuple[Breaker, ...]:
        """Return every breaker except those of policies that a reloaded file has left without one.

        Nothing is sent through these any more, so an open one would stay open. They are kept: a later file may give
        the breaker back.
        """
        return tuple(breaker for breaker in self.all() if breaker.policy not in self._without)

    def has_keys(self, policy: str) -> bool:
        """Return whether a breaker of a policy guards less than the whole policy, such as one host."""
        return any(breaker.key != policy for breaker in self.all(policy))

    def retune(self, before: Mapping[str, Policy], policies: Mapping[str, Policy]) -> None:
        """Give the breakers of these policies their new settings; they keep their state."""
        with self._lock:
            had, have = ({name for name in each if each[name].breaker is not None} for each in (before, policies))
            self._without = (self._without | had) - have
            for (name, _), breaker in self._breakers.copy().items():
                if name in policies:
                    self._retune(breaker, policies[name])

    def subscribe(self, listener: Any, *, successes: bool = False) -> Callable[[], None]:
        """Add a listener of every event, or a pybreaker listener of every breaker; the returned function removes it.

        Raises:
            TypeError: the listener is of neither kind, or it is async: nothing would await it; or it is of pybreaker's
                kind and is to get successes as events.
        """
        if not is_watcher(listener):
            return self._events.subscribe(listener, successes=successes)
        if successes:
            raise TypeError("successes: a listener of pybreaker's kind has a method `success` instead")
        watcher = ListenerAdapter(listener, self._events.report_dropped)
        self._watch(lambda watchers: (*watchers, watcher))

        def unsubscribe() -> None:
            watcher.removed = True
            self._watch(lambda watchers: tuple(other for other in watchers if other is not watcher))

        return unsubscribe

    def _new_breaker(self, policy: Policy, key: str) -> Breaker:
        assert policy.breaker is not None

        def emit(name: str, **fields: Any) -> None:  # the core's breaker does not know the policy it belongs to
            self._events.emit(name, policy=policy.name, **fields)

        breaker = Breaker(
            policy.breaker,
            self._clock.monotonic,
            policy=policy.name,
            wall_clock=self._clock.time,
            is_switched_off=self._is_switched_off,
            key=key or policy.name,
            lost_after=_lost_after(policy),
            emit=emit,
        )
        self._all[id(breaker)] = breaker
        saver = None if self._saving is None else self._saving.watch(_record_name(policy.name, key), breaker)
        own = saver, self._bridges.watch(breaker)
        self._own_watchers[breaker] = tuple(watcher for watcher in own if watcher is not None)
        self._let_watch(breaker)
        if self.on_new is not None:
            self.on_new(breaker)
        return breaker

    def _let_watch(self, breaker: Breaker) -> None:
        breaker.watch((*self._watchers, *self._own_watchers.get(breaker, ())))

    def _by_record_name(self) -> dict[str, Breaker]:
        return {_record_name(*name): breaker for name, breaker in self._breakers.copy().items()}

    def _retune(self, breaker: Breaker, policy: Policy) -> None:
        if policy.breaker is not None and breaker.settings != policy.breaker:
            breaker.retune(policy.breaker, _lost_after(policy))

    def _unused(self) -> list[tuple[str, str]]:
        """Return the closed breakers that were not used since the last time, else the oldest closed one."""
        recent = self._breakers.copy().items()
        closed = {name: breaker.activity() for name, breaker in recent if breaker.state == "closed"}
        idle = [name for name, mark in closed.items() if self._marks.get(name) == mark]
        self._marks = closed
        return idle or list(islice(closed, 1))

    def _watch(self, change: Callable[[tuple[ListenerAdapter, ...]], tuple[ListenerAdapter, ...]]) -> None:
        with self._lock:
            self._watchers = change(self._watchers)
            for breaker in self._breakers.copy().values():
                self._let_watch(breaker)


def _record_name(policy: str, key: str) -> str:
    """Return the name under which a store keeps a breaker."""
    return f"{policy}/{key}" if key else policy


def _lost_after(policy: Policy) -> float:
    """Return the seconds after which a trial permit counts as lost: twice the longest time an attempt may take."""
    return 2 * (policy.attempt_timeout or policy.deadline or 30.0)


def _check_store(store: Any) -> None:
    """Refuse what is no store, before a change of a breaker would find out. Its value may hold a secret: not shown."""
    if store is None or isinstance(store, BreakerStore):
        return
    kind = f"the class {store.__name__}" if isinstance(store, type) else f"a {type(store).__name__}"
    raise TypeError(f"breaker_store takes an object derived from BreakerStore, not {kind}")
