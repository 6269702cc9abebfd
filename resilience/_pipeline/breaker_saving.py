"""Saves the states of breakers to a `BreakerStore`, and restores them, in a thread of its own.

A call never waits for a store: a change leaves a note, which the thread reads. A store that is slow, gone or corrupt
costs the saved states and nothing else.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any

from .._core.base.clock import Clock
from .._core.base.events import Events
from .._core.base.fork_safety import register_for_fork
from .._core.stages.breaker import Breaker
from .._core.stages.breaker_store import (
    MAX_AHEAD,
    BreakerRecord,
    BreakerStore,
    apply_record,
    new_record,
    newer_record,
    read_record,
)
from .._core.stages.pybreaker_state import ListenerAdapter

__all__ = ["BreakerSaving"]

LOAD_WAIT = 1.0  # seconds for which the start waits for the saved states; later they are applied when they come
MAX_DRIFT = 1.0  # seconds by which the end of an open time may differ where it is the same one
RETRY_AFTER = 5.0  # seconds after which a save that failed is tried again


class BreakerSaving:
    """Saves and restores the breakers of one set of policies. Safe across threads, tasks and signal handlers.

    Args:
        store: keeps the records.
        clock: Unix time.
        events: gets `breaker_store_failed`.
        breakers: returns the breakers of this process by the names of their records.
    """

    def __init__(
        self, store: BreakerStore, clock: Clock, events: Events, breakers: Callable[[], Mapping[str, Breaker]]
    ) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._breakers = breakers
        self._records: dict[str, BreakerRecord] = {}
        """The last record of each breaker that was read or written."""
        self._changed: dict[str, tuple[Breaker, float]] = {}
        """Breakers that are to be saved, by name, with the Unix time of their change. One entry for each breaker."""
        self._has_failed = self._is_loaded = False
        self._start().wait(LOAD_WAIT)
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Have the next change start a thread in a forked child, which has none."""
        self._has_thread = False

    def _start(self) -> threading.Event:
        """Start the thread; the event that is returned is set when it has asked for the records."""
        self._is_awake, self._has_thread = False, True
        self._wake: SimpleQueue[None] = SimpleQueue()  # a signal handler may put into it at any point
        loaded = threading.Event()
        weakref.finalize(self, self._wake.put, None)
        arguments = (weakref.ref(self), self._wake, loaded)
        threading.Thread(target=_run, args=arguments, name="resilience-breaker-store", daemon=True).start()
        return loaded

    def watch(self, name: str, breaker: Breaker) -> ListenerAdapter:
        """Restore a new breaker, and return the listener that saves its changes."""
        record = self._records.get(name)
        if record is not None:
            apply_record(breaker, record, self._clock.time(), emit=False)  # the caller holds a lock
        return ListenerAdapter(_ChangeListener(self, name, breaker), self._events.report_dropped)

    def note_change(self, name: str, breaker: Breaker) -> None:
        """Have a breaker saved. Never waits."""
        self._changed[name] = breaker, self._clock.time()
        if not self._has_thread:
            self._start()
        elif not self._is_awake:  # one token is enough, so that the queue does not grow while a store hangs
            self._is_awake = True
            self._wake.put(None)

    @property
    def next_try(self) -> float | None:
        """Return the seconds until unsaved changes are tried again; None if there are none."""
        return RETRY_AFTER if self._changed else None

    def work(self) -> None:
        """Load the records if that is still to be done, and save what has changed. Called by the thread alone."""
        self._is_awake = False
        if not self._is_loaded:
            self._load()
        for name in tuple(self._changed):
            entry = self._changed.pop(name, None)
            if entry is not None and not self._save(name, *entry):
                self._changed.setdefault(name, entry)  # unless it has changed again meanwhile
                return

    def _load(self) -> None:
        stored = self._ask(self._store.load)
        self._is_loaded = isinstance(stored, Mapping)
        if not isinstance(stored, Mapping):
            return
        now, breakers = self._clock.time(), self._breakers()
        for name, value in stored.items():
            record, known = read_record(value, now), self._records.get(name)
            if record is None or (known is not None and known.changed_at >= record.changed_at):
                continue
            self._records[name] = record
            if name in breakers and name not in self._changed:  # it was made while the store was slow
                apply_record(breakers[name], record, now)

    def _save(self, name: str, breaker: Breaker, changed_at: float) -> bool:
        """Save one breaker, or take a newer record of another process; return False if the store failed."""
        now, known = self._clock.time(), self._records.get(name)
        if known is not None and known.changed_at <= now + MAX_AHEAD:
            changed_at = max(changed_at, known.changed_at)  # it came later, though the clock may have been set back
        own = new_record(breaker, changed_at, now)
        if known is not None and _is_same(known, own, now):
            return True  # it was restored, or saved already
        stored = self._ask(self._store.load)
        other = read_record(stored.get(name), now) if isinstance(stored, Mapping) else None
        counts = self._ask(newer_record, self._store, other, own, now) or own
        if counts != own:
            self._records[name] = counts
            apply_record(breaker, counts, now)
            return True
        if self._ask(self._store.save, name, own._asdict()) is _FAILED:
            return False
        self._records[name] = own
        self._has_failed = False
        return True

    def _ask(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return what a method of the store returns; `_FAILED`, which is false, if it raises."""
        try:
            return function(*args)
        except Exception as error:
            if not self._has_failed:  # once for each time that it fails
                self._has_failed = True
                self._events.emit("breaker_store_failed", caused_by=type(error).__name__)
            return _FAILED


class _Failed:
    def __bool__(self) -> bool:
        return False


_FAILED = _Failed()


def _is_same(known: BreakerRecord, own: BreakerRecord, now: float) -> bool:
    """Return whether a record says what the store has already: the breaker has only been restored from it."""
    if (known.state == "closed") is not (own.state == "closed") or own.state == "half-open":
        return False
    ends = [max(record.open_until, now) for record in (known, own)]
    return known.isolated is own.isolated and abs(ends[0] - ends[1]) < MAX_DRIFT


class _ChangeListener:
    """A listener of pybreaker's kind that notes each change of one breaker."""

    def __init__(self, saving: BreakerSaving, name: str, breaker: Breaker) -> None:
        self._saving = saving
        self._name = name
        self._breaker = weakref.ref(breaker)  # the breaker holds this listener

    def state_change(self, *_args: Any) -> None:
        """Note a change."""
        breaker = self._breaker()
        if breaker is not None:
            self._saving.note_change(self._name, breaker)


def _run(reference: weakref.ref[BreakerSaving], wake: SimpleQueue[None], loaded: threading.Event) -> None:
    """Save changes until the object that they are noted in is gone."""
    while True:
        saving = reference()
        if saving is None:
            return
        try:
            saving.work()
        except Exception:  # a store must not end the thread
            pass
        loaded.set()
        wait = saving.next_try
        del saving  # else it would never be gone
        try:
            wake.get(timeout=wait)
        except Empty:
            pass
