"""pybreaker's part of a breaker: its states, its storage, and the listeners that people have already.

It keeps the state and we decide: its `call` is never used. What it would tell is queued, and told
when every lock is released. The only importer of pybreaker, which is imported when a breaker first
leaves `closed`, fails, or is listened to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..base.fork_safety import new_lock

if TYPE_CHECKING:
    import pybreaker

__all__ = ["BreakerState", "ListenerAdapter", "QueuedNotice", "is_watcher"]

_TOLD = {"open": "circuit_opened", "half-open": "circuit_half_opened", "closed": "circuit_closed"}
_METHODS = ("before_call", "failure", "success", "state_change")


class QueuedNotice(NamedTuple):
    """One thing to tell: the method of a pybreaker listener with its arguments, and our event where there is one."""

    method: str
    args: tuple[Any, ...] = ()
    event: str | None = None


class ListenerAdapter:
    """A pybreaker listener. One that raises is reported once, and hears nothing any more.

    Attributes:
        all_calls: it asks for every success or every call, so that no success of its breakers may go uncounted by it.
        over: it hears nothing any more.
    """

    __slots__ = ("_dropped", "all_calls", "listener", "over")

    def __init__(self, listener: Any, dropped: Callable[[Any, Exception], None]) -> None:
        self.listener = listener
        self._dropped = dropped
        self.all_calls = any(_own(listener, name) for name in ("before_call", "success"))
        self.over = False

    def emit(self, method: str, *args: Any) -> None:
        """Call a method of the listener that it has."""
        told = getattr(self.listener, method, None)
        if told is None or self.over:
            return
        try:
            told(*args)
        except Exception as error:
            self.over = True
            self._dropped(self.listener, error)


def is_watcher(listener: object) -> bool:
    """Tell whether this is a listener of pybreaker's kind: an object with its methods that is no function."""
    return not callable(listener) and any(callable(getattr(listener, name, None)) for name in _METHODS)


def _own(listener: object, name: str) -> bool:
    """Tell whether a listener does something of its own in this method."""
    method = getattr(type(listener), name, None) or getattr(listener, name, None)
    return method is not None and not str(getattr(method, "__module__", "")).startswith("pybreaker")


class BreakerState:
    """The state of one breaker, and the queue of what is to be told. Its owner holds a lock around every change.

    Args:
        name: what the breaker guards.
        opened_for: seconds for which the breaker opens at first, for listeners that ask.
        counts: returns (failures in a row, successes while half-open), for listeners that ask.
    """

    __slots__ = ("_counts", "_lock", "_name", "_opened_for", "_real", "queue")

    def __init__(self, name: str, opened_for: float, counts: Callable[[], tuple[int, int]]) -> None:
        self._name = name
        self._opened_for = opened_for
        self._counts = counts
        self._lock = new_lock()
        self._real: pybreaker.CircuitBreaker | None = None
        self.queue: deque[QueuedNotice] = deque()

    @property
    def current(self) -> str:
        """Return `closed`, `open` or `half-open`."""
        return "closed" if self._real is None else str(self._real.current_state)

    def load(self) -> pybreaker.CircuitBreaker:
        """Return pybreaker's object; asked before the lock is taken, since an import may run."""
        if self._real is None:
            made = _pybreaker(self._name, self._opened_for, self._counts, self._changed)
            with self._lock:
                self._real = self._real or made
        return self._real

    def change_to(self, state: str) -> None:
        """Go to this state; going nowhere tells nothing."""
        if state != self.current:
            real = self.load()
            {"open": real.open, "half-open": real.half_open, "closed": real.close}[state]()

    def _changed(self, old: Any, new: Any) -> None:
        self.queue.append(QueuedNotice("state_change", (old, new), _TOLD[new.name]))


def _pybreaker(
    name: str, opened_for: float, counts: Callable[[], tuple[int, int]], changed: Callable[[Any, Any], None]
) -> pybreaker.CircuitBreaker:
    """Make pybreaker's object on a storage whose time and counts are ours (it keeps none)."""
    import pybreaker

    class Storage(pybreaker.CircuitMemoryStorage):
        """Keeps the state; the time of opening is the breaker's own monotonic one, never a date."""

        @property
        def counter(self) -> int:
            return counts()[0]

        @property
        def success_counter(self) -> int:
            return counts()[1]

        @property
        def opened_at(self) -> None:
            return None

        @opened_at.setter
        def opened_at(self, _date: Any) -> None:
            pass

    class Queued(pybreaker.CircuitBreakerListener):
        """Queues the change: listeners are told when every lock is released."""

        def state_change(self, _breaker: Any, old: Any, new: Any) -> None:
            changed(old, new)

    return pybreaker.CircuitBreaker(
        name=name,
        reset_timeout=opened_for,
        state_storage=Storage(pybreaker.STATE_CLOSED),
        listeners=[Queued()],
        throw_new_error_on_trip=False,
    )
