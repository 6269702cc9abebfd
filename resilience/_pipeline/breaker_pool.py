"""Keeps the breakers that pipelines share: one per policy and key, and a bounded number of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from .._core.base.bounded_dict import BoundedDict
from .._core.base.clock import Clock
from .._core.base.events import Events
from .._core.base.fork_safety import new_lock
from .._core.policy.policy import Policy
from .._core.stages.breaker import USED_ONCE, Breaker
from .._core.stages.breaker_store import BreakerStore
from .._core.stages.pybreaker_state import ListenerAdapter, is_watcher
from .breaker_saving import BreakerSaving
from .displaced_breakers import DisplacedBreakers, OwnBreakers
from .storage_bridges import StorageBridges

__all__ = ["BreakerPool"]

_Name = tuple[str, str]
"""The name of the policy, and the key."""
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
        self._clock = clock
        self._events = events
        self._lock = new_lock()
        self._breakers: BoundedDict[_Name, Breaker] = BoundedDict(max_breakers, self._unused)
        self._to_check: deque[_Name] = deque()
        self._prototypes: BoundedDict[str, tuple[Policy, Breaker]] = BoundedDict(max_breakers)
        # Two policies made in Python may have one name, and each its breakers: these were replaced by those of another.
        self._displaced = DisplacedBreakers(max_breakers)
        self._without: frozenset[str] = frozenset()
        self._watchers: tuple[ListenerAdapter, ...] = ()
        _check_store(store)
        self._saving = None if store is None else BreakerSaving(store, clock, events, self._by_record_name)
        self._is_kept_elsewhere = store is not None or pybreaker_storage is not None
        self.on_new: Callable[[Breaker], None] | None = None
        self._bridges = StorageBridges(pybreaker_storage, clock, events, self.all)
        self._own_watchers: WeakKeyDictionary[Breaker, tuple[ListenerAdapter, ...]] = WeakKeyDictionary()

    def getter(self, policy: Policy) -> Callable[[str], Breaker | None]:
        """Return a function that returns the one breaker of a key; as `get`, for calls that do not refer to it."""
        with self._lock:
            return partial(self.get, policy, own=self._displaced.of(policy))

    def get(
        self, policy: Policy, key: str, *, keep_state: bool = False, own: OwnBreakers | None = None
    ) -> Breaker | None:
        """Return the one breaker of this policy and key, or None when the policy has none.

        Where its settings differ from the policy's, it takes the new settings and keeps its state if `keep_state` says
        that the policy is that of a file. Otherwise a new breaker replaces it, because two policies made in Python may
        have the same name.
        """
        name, settings = (policy.name, key), policy.breaker
        if settings is None:
            return None
        with self._lock:
            breaker = self._breakers.get(name)
            if not keep_state:
                displaced = self._displaced.get(policy.name, settings, key, own)
                if displaced is not None:
                    return displaced
            if breaker is None:
                # `setdefault`: a signal handler may have made it while this was made, and there is one for each key.
                return self._breakers.setdefault(name, self._new_breaker(policy, key))
            if breaker.settings is settings or breaker.settings == settings:
                return breaker
            if keep_state:
                self._retune(breaker, policy)
                return breaker
            self._displaced.add(key, breaker)
            breaker = self._breakers[name] = self._new_breaker(policy, key)
            return breaker

    def all(self, policy: str | None = None) -> tuple[Breaker, ...]:
        """Return every breaker that exists, or those of a policy, by policy and key."""
        # Each copy is one call into C, so that another thread or a signal handler may add breakers.
        existing = [*self._breakers.copy().values(), *self._displaced.all()]
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
        prototype = self._prototypes.get(policy.name)
        if prototype is None or prototype[0] is not policy:
            prototype = self._prototypes[policy.name] = policy, self._new_prototype(policy)
        breaker = prototype[1].sibling(key or policy.name)
        if self._is_kept_elsewhere:
            saver = None if self._saving is None else self._saving.watch(_record_name(policy.name, key), breaker)
            own = saver, self._bridges.watch(breaker)
            self._own_watchers[breaker] = tuple(watcher for watcher in own if watcher is not None)
        if self._is_kept_elsewhere or self._watchers:
            self._let_watch(breaker)
        if self.on_new is not None:
            self.on_new(breaker)
        return breaker

    def _new_prototype(self, policy: Policy) -> Breaker:
        """Return the breaker, itself never used, of which those of a policy's keys are siblings."""
        assert policy.breaker is not None
        return Breaker(
            policy.breaker,
            self._clock.monotonic,
            policy=policy.name,
            wall_clock=self._clock.time,
            is_switched_off=self._is_switched_off,
            lost_after=_lost_after(policy),
            emit=partial(self._events.emit, policy=policy.name),  # the core's breaker does not know its policy
        )

    def _let_watch(self, breaker: Breaker) -> None:
        breaker.watch((*self._watchers, *self._own_watchers.get(breaker, ())))

    def _by_record_name(self) -> dict[str, Breaker]:
        return {_record_name(*name): breaker for name, breaker in self._breakers.copy().items()}

    def _retune(self, breaker: Breaker, policy: Policy) -> None:
        if policy.breaker is not None and breaker.settings != policy.breaker:
            breaker.retune(policy.breaker, _lost_after(policy))

    def _unused(self) -> Iterator[_Name]:
        """Yield the closed breakers that were not used since they were checked the last time, else an old closed one.

        All are checked in turn, over several calls, so that a new key does not cost a check of all of them.
        """
        closed: _Name | None = None
        has_idle = False
        breakers, to_check = self._breakers, self._to_check
        for _ in range(len(breakers)):
            if not to_check:
                to_check.extend(breakers.copy())
            try:
                name = to_check.popleft()
            except IndexError:
                continue  # a signal handler that has made a breaker has checked the last one
            breaker = breakers.get(name)
            if breaker is None:
                continue  # it was forgotten meanwhile
            if breaker.use is not USED_ONCE and not _note_use(breaker):
                if closed is None and breaker.state == "closed":
                    closed = name
            elif breaker.is_untouched or breaker.state == "closed":
                has_idle, breaker = True, None  # one that anything refers to is not forgotten
                yield name
        if closed is not None and not has_idle:
            breaker = None
            yield closed

    def _watch(self, change: Callable[[tuple[ListenerAdapter, ...]], tuple[ListenerAdapter, ...]]) -> None:
        with self._lock:
            self._watchers = change(self._watchers)
            for breaker in (*self._breakers.copy().values(), *self._displaced.all()):
                self._let_watch(breaker)


def _note_use(breaker: Breaker) -> bool:
    """Note how much a breaker has counted; return whether that is what was noted before."""
    before, breaker.use = breaker.use, repr(breaker.outcomes.numbers)  # read without taking a number: see `Counter`
    return breaker.use == before


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
