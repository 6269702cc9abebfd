"""Keeps a breaker's state in pybreaker's objects, and calls the pybreaker listeners that a program has already.

pybreaker keeps the state and `breaker_machine.py` decides. Its `call` is never used: it holds a lock while the function
runs. What its listeners are to hear is queued, and sent after every lock is released. This is the only module that
imports pybreaker, when a breaker first leaves `closed`, fails, or has a listener. Its object is made for each breaker
that leaves `closed` or has a listener, and not for one that has only failed: there may be very many.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pybreaker

__all__ = ["STATES", "BreakerState", "ListenerAdapter", "QueuedNotice", "is_watcher"]

_EVENTS = {"open": "circuit_opened", "half-open": "circuit_half_opened", "closed": "circuit_closed"}
STATES = ("closed", "half-open", "open", "isolated")
"""The states of a breaker, as `Breaker.state` names them."""
_METHODS = ("before_call", "failure", "success", "state_change")


class QueuedNotice(NamedTuple):
    """A method of a pybreaker listener to call with these arguments, and the name of our event where there is one."""

    method: str
    args: tuple[Any, ...] = ()
    event: str | None = None


class ListenerAdapter:
    """A pybreaker listener. One that raises is reported once and never called again.

    Attributes:
        all_calls: it has a method for every call or every success, so drivers may not settle successes inline.
        removed: it is not called any more.
    """

    __slots__ = ("_on_dropped", "all_calls", "listener", "removed")

    def __init__(self, listener: Any, on_dropped: Callable[[Any, Exception], None]) -> None:
        self.listener = listener
        self._on_dropped = on_dropped
        self.all_calls = any(_overrides(listener, name) for name in ("before_call", "success"))
        self.removed = False

    def emit(self, method: str, *args: Any) -> None:
        """Call a method of the listener, where it has it."""
        call = getattr(self.listener, method, None)
        if call is None or self.removed:
            return
        try:
            call(*args)
        except Exception as error:
            self.removed = True
            self._on_dropped(self.listener, error)


def is_watcher(listener: object) -> bool:
    """Return whether this is a pybreaker `CircuitBreakerListener`, judged by its methods."""
    return not callable(listener) and any(callable(getattr(listener, name, None)) for name in _METHODS)


def _overrides(listener: object, name: str) -> bool:
    """Return whether a listener has a method of its own, and not only the empty one of pybreaker's base class."""
    method = getattr(type(listener), name, None) or getattr(listener, name, None)
    return method is not None and not str(getattr(method, "__module__", "")).startswith("pybreaker")


class BreakerState:
    """The state of one breaker, and the queue of notices. Its owner holds a lock around every change.

    Attributes:
        queue: the notices.
        transitions: how often it has gone to each state, as `Breaker.state` names it.

    Args:
        name: what the breaker guards.
        open_for: seconds for which the breaker opens at first, for listeners that read it.
        counts: returns (failures in a row, successes while half-open), for listeners that read them.
    """

    __slots__ = ("_counts", "_name", "_open_for", "_real", "queue", "transitions")

    def __init__(self, name: str, open_for: float, counts: Callable[[], tuple[int, int]]) -> None:
        self._name = name
        self._open_for = open_for
        self._counts = counts
        self._real: pybreaker.CircuitBreaker | None = None
        self.queue: deque[QueuedNotice] = deque()
        self.transitions = dict.fromkeys(STATES, 0)

    @property
    def current(self) -> str:
        """Return `closed`, `open` or `half-open`."""
        return "closed" if self._real is None else str(self._real.current_state)

    @staticmethod
    def prepare() -> None:
        """Import pybreaker. Called before a lock is taken under which the state may change."""
        _classes()

    def load(self) -> pybreaker.CircuitBreaker:
        """Return pybreaker's object, which is made when the breaker leaves `closed` or a listener is to get it."""
        if self._real is None:
            created = _pybreaker(self._name, self._open_for, self._counts, self._changed)
            if self._real is None:  # no other thread, nor a signal handler, runs between this line and the next
                self._real = created
        return self._real

    def change_to(self, state: str, *, isolated: bool = False) -> None:
        """Go to this state; nothing is queued where it is the present one. Being isolated is a kind of `open`."""
        if state != self.current:
            self.transitions["isolated" if isolated else state] += 1
            real = self.load()
            {"open": real.open, "half-open": real.half_open, "closed": real.close}[state]()

    def _changed(self, old: Any, new: Any) -> None:
        self.queue.append(QueuedNotice("state_change", (old, new), _EVENTS[new.name]))


def _pybreaker(
    name: str, open_for: float, counts: Callable[[], tuple[int, int]], changed: Callable[[Any, Any], None]
) -> pybreaker.CircuitBreaker:
    """Make pybreaker's object on a storage that keeps neither times nor counts: those are ours."""
    new_breaker, storage, queued = _classes()
    return new_breaker(
        name=name,
        reset_timeout=open_for,
        state_storage=storage(counts),
        listeners=[queued(changed)],
        throw_new_error_on_trip=False,
    )


@cache
def _classes() -> tuple[type[pybreaker.CircuitBreaker], Any, Any]:
    """Import pybreaker, and return its breaker with our storage and our listener. Once for all breakers."""
    import pybreaker

    class Storage(pybreaker.CircuitMemoryStorage):
        """Keeps the state. pybreaker notes a date of opening, which a step of the wall clock would falsify: dropped."""

        def __init__(self, counts: Callable[[], tuple[int, int]]) -> None:
            super().__init__(pybreaker.STATE_CLOSED)
            self._counts = counts

        @property
        def counter(self) -> int:
            return self._counts()[0]

        @property
        def success_counter(self) -> int:
            return self._counts()[1]

        @property
        def opened_at(self) -> None:
            return None

        @opened_at.setter
        def opened_at(self, _date: Any) -> None:
            pass

    class Queued(pybreaker.CircuitBreakerListener):
        """Queues the change: listeners are called after every lock is released."""

        def __init__(self, changed: Callable[[Any, Any], None]) -> None:
            self._changed = changed

        def state_change(self, _breaker: Any, old: Any, new: Any) -> None:
            self._changed(old, new)

    return pybreaker.CircuitBreaker, Storage, Queued
