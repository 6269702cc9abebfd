"""Couples the breakers of one set of policies with a storage of pybreaker that further programs use.

A thread of its own reads the storage with each beat and writes what has changed here. No call waits for it, and it is
not the thread of the fleet: a storage that hangs must not keep leases and holds from being renewed. The counters of
the storage are neither read nor written. They are racy: each process would get a trial.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any

from .._core.base.clock import Clock
from .._core.base.events import Events
from .._core.base.fork_safety import register_for_fork
from .._core.stages.breaker import Breaker
from .._core.stages.pybreaker_state import ListenerAdapter
from .._core.stages.pybreaker_storage import StoredState, follow, has_lost_memory, read_state, state_to_write

__all__ = ["BEAT", "PybreakerBridge"]

BEAT = 0.25  # seconds between two reads
HANGS_AFTER = 5.0  # seconds after which a read or write that has not returned is reported
START_WAIT = 1.0  # seconds for which the start waits for the first read


class PybreakerBridge:
    """Couples breakers with one storage. Safe across threads, tasks and signal handlers.

    Args:
        storage: a `pybreaker.CircuitBreakerStorage`.
        clock: Unix time.
        events: gets `breaker_store_failed`.
        breakers: returns the breakers of this process that use the storage.
    """

    def __init__(self, storage: Any, clock: Clock, events: Events, breakers: Callable[[], Iterable[Breaker]]) -> None:
        self._storage = storage
        self._clock = clock
        self._events = events
        self._breakers = breakers
        self._known: StoredState | None = None
        self._is_current = False  # the last read was a beat ago
        self._changed: dict[int, tuple[weakref.ref[Breaker], float]] = {}
        self._has_failed = False
        self._start().wait(START_WAIT)
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Read and write in a thread of the child's own."""
        self._start()

    def _start(self) -> threading.Event:
        """Start the threads; the event that is returned is set after the first read."""
        self._wake: SimpleQueue[None] = SimpleQueue()  # a signal handler may put into it at any point
        self._beats: SimpleQueue[None] = SimpleQueue()
        self._is_awake = False
        first = threading.Event()
        me = weakref.ref(self)
        weakref.finalize(self, self._wake.put, None)
        work = threading.Thread(target=_run, args=(me, self._wake, self._beats, first), daemon=True)
        watch = threading.Thread(target=_report_hangs, args=(me, self._beats), daemon=True)
        work.name, watch.name = "resilience-pybreaker-storage", "resilience-pybreaker-watch"
        work.start()
        watch.start()
        return first

    def watch(self, breaker: Breaker) -> ListenerAdapter:
        """Have a new breaker follow what is known, and return the listener that notes its changes."""
        known = self._known
        if known is not None:  # the caller holds a lock: the event comes later
            follow(breaker, None, known, self._clock.time(), is_new=False, emit=False)
        return ListenerAdapter(_StorageListener(self, breaker), self._events.report_dropped)

    def note_change(self, breaker: Breaker) -> None:
        """Have a breaker's state written. Never waits."""
        self._changed[id(breaker)] = weakref.ref(breaker), self._clock.time()
        if not self._is_awake:
            self._is_awake = True
            self._wake.put(None)

    def work(self) -> None:
        """Read the storage, follow it, and write what has changed here. Called by one thread alone."""
        self._is_awake = False
        try:
            self._read()
            for name in tuple(self._changed):
                entry = self._changed.pop(name)
                if not self._write(*entry):
                    self._changed.setdefault(name, entry)  # unless it has changed again meanwhile
            self._has_failed = False
        except Exception as error:
            self._is_current = False
            self.report(type(error).__name__)

    def report(self, caused_by: str) -> None:
        """Report that the storage does not work, once for each time that it fails."""
        if not self._has_failed:
            self._has_failed = True
            self._events.emit("breaker_store_failed", caused_by=caused_by)

    def _read(self) -> None:
        known, stored = self._known, self._ask()
        if has_lost_memory(known, stored):
            self._is_current = False
            return
        self._take(known, stored, self._breakers(), is_new=self._is_current)
        self._is_current = True

    def _write(self, reference: weakref.ref[Breaker], changed_at: float) -> bool:
        """Write one breaker's state; returns False if the storage does not have it afterwards."""
        breaker, known = reference(), self._known
        wanted = None if breaker is None else state_to_write(breaker, known, changed_at)
        if wanted is None:
            return True
        if wanted.opened_at is not None and (wanted.state == "open" or not self._is_current):
            self._storage.opened_at = datetime.fromtimestamp(wanted.opened_at, UTC)
        self._storage.state = wanted.state
        # Read again: the storage rounds the date, and one whose server is gone says nothing.
        stored = self._ask()
        if stored.state != wanted.state or has_lost_memory(wanted, stored):
            return False
        self._take(known, stored, [other for other in self._breakers() if other is not breaker], is_new=True)
        return True

    def _take(
        self, known: StoredState | None, stored: StoredState, breakers: Iterable[Breaker], *, is_new: bool
    ) -> None:
        """Have breakers follow what the storage says now."""
        self._known = stored
        now = self._clock.time()
        for breaker in breakers if stored != known else ():
            follow(breaker, known, stored, now, is_new=is_new)

    def _ask(self) -> StoredState:
        return read_state(self._storage.state, self._storage.opened_at)


class _StorageListener:
    """A listener of pybreaker's kind that notes each change of one breaker."""

    def __init__(self, bridge: PybreakerBridge, breaker: Breaker) -> None:
        self._bridge = bridge
        self._breaker = weakref.ref(breaker)  # the breaker holds this listener

    def state_change(self, *_args: Any) -> None:
        """Note a change."""
        breaker = self._breaker()
        if breaker is not None:
            self._bridge.note_change(breaker)


def _run(
    reference: weakref.ref[PybreakerBridge], wake: SimpleQueue[None], beats: SimpleQueue[None], first: threading.Event
) -> None:
    """Read and write with each beat, and at once when a breaker has changed, until the bridge is gone."""
    while True:
        bridge = reference()
        if bridge is None:
            beats.put(None)
            return
        bridge.work()
        first.set()
        beats.put(None)
        del bridge  # else it would never be gone
        _wait(wake, BEAT)


def _report_hangs(reference: weakref.ref[PybreakerBridge], beats: SimpleQueue[None]) -> None:
    """Report a storage whose read or write does not return, which the thread that waits for it cannot do."""
    while True:
        is_beating = _wait(beats, HANGS_AFTER)
        bridge = reference()
        if bridge is None:
            return
        if not is_beating:
            bridge.report("TimeoutError")
        del bridge


def _wait(queue: SimpleQueue[None], seconds: float) -> bool:
    """Wait for an item; returns whether there was one."""
    try:
        queue.get(timeout=seconds)
    except Empty:
        return False
    return True
