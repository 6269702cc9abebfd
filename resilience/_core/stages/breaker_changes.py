"""Makes the changes of one breaker under its lock, each complete before the next, and its parts when one is needed.

A signal handler that interrupts a change on its own thread waits for nothing: what it changes is applied when the
change is complete.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from threading import RLock
from typing import Any
from weakref import proxy

from ..base.fork_safety import is_mine, register_for_fork
from ..policy.sections import BreakerSettings
from .breaker_parts import BreakerParts, new_parts
from .breaker_trials import Permit, Trials
from .pybreaker_state import BreakerState

__all__ = ["BreakerChanges"]


class BreakerChanges:
    """What a breaker's changes need. Safe across threads, tasks and signal handlers.

    Attributes:
        key: what the breaker guards.
        consecutive_failures: failures since the last success.
    """

    __slots__ = ("__dict__", "__weakref__", "_parts")
    key: str
    consecutive_failures: int
    _parts: BreakerParts | None
    _settings: BreakerSettings

    def reset_after_fork(self) -> None:
        """Forget all permits in a child: the threads that hold them exist in the parent alone."""
        self.permits.clear()

    @property
    def permits(self) -> set[Permit]:
        """Return the permits that are out, the same set for ever.

        `permits.discard(permit)` gives one back that nobody has settled, and does nothing otherwise.
        """
        return (self._parts or self._make_parts()).trials.permits

    @property
    def refusals(self) -> Iterator[int]:
        """Return the counter of rejected calls: `next(refusals)` adds one."""
        return (self._parts or self._make_parts()).refusals

    @property
    def _lock(self) -> RLock:
        return (self._parts or self._make_parts()).lock

    @property
    def _deferred(self) -> deque[tuple[Callable[..., Any], tuple[Any, ...]]]:
        return (self._parts or self._make_parts()).deferred

    @property
    def _trials(self) -> Trials:
        return (self._parts or self._make_parts()).trials

    @property
    def _states(self) -> BreakerState:
        return (self._parts or self._make_parts()).states

    @property
    def _state(self) -> str:
        return "closed" if self._parts is None else self._parts.states.current

    def _make_parts(self) -> BreakerParts:
        me = proxy(self)  # no cycle: `BoundedDict` counts references to learn whether compiled calls use it
        created = new_parts(self.key, self._settings.open_for, lambda: me.consecutive_failures)
        register_for_fork(self)
        if self._parts is None:  # no other thread, nor a signal handler, runs between this line and the next
            self._parts = created
        return self._parts

    def _locked(self, change: Callable[..., Any], *args: Any) -> Any:
        """Return the result of a change that is made under the lock.

        Where this thread has the lock already, a signal handler has interrupted a change: the holder makes this one
        when it is done, and None is returned.
        """
        lock, deferred, *_ = self._parts or self._make_parts()
        if is_mine(lock):
            deferred.append((change, args))
            return None
        with lock:
            if deferred:
                self._apply_deferred()  # what an interrupted holder has left
            result = change(*args)
        while deferred:  # the handler may run as late as while the lock is released
            with lock:
                self._apply_deferred()
        return result

    def _apply_deferred(self) -> None:
        while self._deferred:
            change, args = self._deferred.popleft()
            change(*args)
