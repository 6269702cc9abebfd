"""The breakers that pipelines share: one a policy and key, a bounded number of them, and who listens to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any
from weakref import WeakValueDictionary

from .._core.base.clock import Clock
from .._core.base.events import Events
from .._core.base.fork_safety import new_lock
from .._core.policy.policy import Policy
from .._core.stages.breaker import Breaker
from .._core.stages.pybreaker_state import ListenerAdapter, is_watcher

__all__ = ["BreakerPool"]

_MOST = 1024


class BreakerPool:
    """The breakers of one set of policies. Safe across threads and tasks.

    Of very many keys, those closed breakers are forgotten that nobody has used for the longest time;
    an open one never is. A breaker that compiled calls still refer to comes back for its key, so that
    there are never two.
    """

    def __init__(self, clock: Clock, events: Events, most: int = _MOST) -> None:
        """Keep `most` closed breakers at most."""
        self._clock = clock
        self._events = events
        self._most = most
        self._lock = new_lock()
        self._kept: dict[tuple[str, str], Breaker] = {}
        self._in_use: WeakValueDictionary[tuple[str, str], Breaker] = WeakValueDictionary()
        self._marks: dict[tuple[str, str], tuple[int, int, int]] = {}
        self._watchers: tuple[ListenerAdapter, ...] = ()

    def get(self, policy: Policy, key: str, *, keep: bool = False) -> Breaker | None:
        """Return the one breaker of this policy and key.

        One of other settings takes these over and goes on where `keep` says that the policy is that of a file, and
        starts anew otherwise: two policies that were made in Python may have one name.
        """
        name = (policy.name, key)
        if policy.breaker is None:
            return None
        with self._lock:
            found = self._kept.get(name) or self._in_use.get(name)
            if found is not None and keep:
                self._retune(found, policy)
            elif found is None or found.settings != policy.breaker:
                found = self._make(policy, key)
            if name not in self._kept and len(self._kept) >= self._most:
                self._forget()
            self._kept[name] = self._in_use[name] = found
            return found

    def retune(self, policies: Mapping[str, Policy]) -> None:
        """Let the breakers of these policies take their settings over, and go on."""
        with self._lock:
            for (name, _), breaker in {**self._in_use, **self._kept}.items():
                if name in policies:
                    self._retune(breaker, policies[name])

    def subscribe(self, listener: Any) -> Callable[[], None]:
        """Tell a listener every event, or a pybreaker listener what it asks for; the function returned ends that.

        Raises:
            TypeError: it is neither, or it is async: nobody would await it.
        """
        if not is_watcher(listener):
            return self._events.subscribe(listener)
        watcher = ListenerAdapter(listener, self._events.report_dropped)
        self._watch(lambda watchers: (*watchers, watcher))

        def unsubscribe() -> None:
            watcher.removed = True
            self._watch(lambda watchers: tuple(one for one in watchers if one is not watcher))

        return unsubscribe

    def _make(self, policy: Policy, key: str) -> Breaker:
        assert policy.breaker is not None

        def emit(name: str, **fields: Any) -> None:
            self._events.emit(name, policy=policy.name, **fields)

        made = Breaker(
            policy.breaker, self._clock.monotonic, key=key or policy.name, lost_after=_lost_after(policy), emit=emit
        )
        made.watch(self._watchers)
        return made

    def _retune(self, breaker: Breaker, policy: Policy) -> None:
        if policy.breaker is not None and breaker.settings != policy.breaker:
            breaker.retune(policy.breaker, _lost_after(policy))

    def _forget(self) -> None:
        """Forget the oldest closed breakers that were not used since the last look, or else the oldest closed one."""
        closed = {name: breaker.activity() for name, breaker in self._kept.items() if breaker.state == "closed"}
        idle = [name for name, mark in closed.items() if self._marks.get(name) == mark]
        self._marks = closed
        for name in idle[: max(1, self._most // 8)] or list(islice(closed, 1)):
            del self._kept[name], self._marks[name]

    def _watch(self, change: Callable[[tuple[ListenerAdapter, ...]], tuple[ListenerAdapter, ...]]) -> None:
        with self._lock:
            self._watchers = change(self._watchers)
            for breaker in (*self._kept.values(), *self._in_use.values()):
                breaker.watch(self._watchers)


def _lost_after(policy: Policy) -> float:
    """Return the seconds after which a trial that nobody settled is given out again."""
    return 2 * (policy.attempt_timeout or policy.deadline or 30.0)
