"""Runs the rounds of alerts in a daemon thread, from the first event that may need a person on.

A call that fails pays for an entry in a dict and a wake-up of the thread. A call that succeeds pays nothing.
"""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from time import monotonic, time
from typing import Any, Self

from ..._core.base.event import Event
from ..._core.base.fork_safety import new_lock, register_for_fork
from ..inbox import Inbox
from .alert_rounds import POLL, AlertRounds, WatchedPolicies

__all__ = ["Alerts"]

GATHER = 1.0
"""Seconds from an event to the check of the inbox: what belongs together is one message, and a storm is one check."""
CLOSE_TIMEOUT = 5.0


class Alerts:
    """The running sender of `send_alerts`. Safe across threads; a forked child sends its own alerts."""

    def __init__(self, policies: WatchedPolicies, inbox: Inbox, rounds: AlertRounds) -> None:
        """Subscribe, and start the thread."""
        self._inbox, self._rounds = inbox, rounds
        self._lock = new_lock()
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._stop: SimpleQueue[None] = SimpleQueue()
        self._is_woken = False
        register_for_fork(self)
        atexit.register(self.close)
        self._unsubscribe = policies.subscribe(self)
        self._start()

    def wants_event(self, name: str, fields: Mapping[str, Any]) -> bool:
        """Return whether an event may need a person."""
        return self._inbox.wants_event(name, fields)

    def __call__(self, event: Event) -> None:
        """Take an event in, and wake the thread."""
        self._inbox(event)
        if self._thread is None:
            self._start()
        if not self._is_woken:
            self._is_woken = True
            self._wake.put(None)  # it takes no lock that a signal handler of the same thread could find taken

    def close(self, timeout: float = CLOSE_TIMEOUT) -> bool:
        """Send the entries that wait, and stop. A second call does nothing.

        Args:
            timeout: seconds after which it gives up.

        Returns:
            Whether everything was sent.
        """
        with self._lock:
            thread, was_closed, self._is_closed = self._thread, self._is_closed, True
        if not was_closed:
            self._unsubscribe()
            atexit.unregister(self.close)
            self._stop.put(None)
            self._wake.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        return (thread is None or not thread.is_alive()) and not self._rounds.waiting

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def reset_after_fork(self) -> None:
        """Have no thread: that of the parent does not exist here, and sends what has happened there."""
        self._thread, self._is_woken = None, False
        self._wake, self._stop = SimpleQueue(), SimpleQueue()
        self._rounds.reset_after_fork(time())

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._run, name="resilience-alerts", daemon=True)
                self._thread.start()
                _call_at_end_of_worker(self.close)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            try:
                wait_for = self._rounds.run(monotonic())
            except Exception as error:  # of a snapshot: the next round may get one
                wait_for = POLL
                self._rounds.report_error(error)
            _wait(self._wake, wait_for)
            is_last = _wait(self._stop, GATHER)
            self._is_woken = False  # before the check: an event during it asks for another
        self._rounds.run(monotonic(), is_last=True)


def _call_at_end_of_worker(close: Callable[[], object]) -> None:
    """Call a function when this process ends, if `multiprocessing` has started it: it runs no function of `atexit`."""
    util, process = (sys.modules.get(f"multiprocessing.{name}") for name in ("util", "process"))
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, close, exitpriority=0)


def _wait(queue: SimpleQueue[None], seconds: float) -> bool:
    """Wait until something is in the queue; returns False if the time was over before."""
    try:
        queue.get(timeout=seconds)
    except Empty:
        return False
    return True
