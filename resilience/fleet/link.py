"""Runs the one background thread per process and URL, which does all I/O with the store.

Callers leave a note and wake the thread; they never wait for a lock that it holds during I/O. It is started at the
first wish, anew in a forked child, and ends when nobody uses it any more or the program ends.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from queue import Empty, SimpleQueue

from .._core.base.fork_safety import new_lock, register_for_fork
from .shared_part import SharedPart
from .store import Store
from .store_errors import StoreLostError

__all__ = ["StoreLink", "link_to"]

FIRST_RETRY, LONGEST_RETRY = 0.1, 1.0  # seconds between attempts to reach a store that is lost
_LINKS: weakref.WeakValueDictionary[tuple[str, float], StoreLink] = weakref.WeakValueDictionary()
_LOCK = new_lock()


def link_to(url: str, patience: float) -> StoreLink:
    """Return the link of this process to a store."""
    with _LOCK:
        link = _LINKS.get((url, patience))
        if link is None:
            link = _LINKS[url, patience] = StoreLink(Store(url, patience))
        return link


class StoreLink:
    """The parts that use one store, and the thread that serves them. Safe across threads.

    Attributes:
        store: the store; used by the thread alone.
        lost: why the store cannot be used; empty while it can, None before the first connection.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lost: str | None = None
        self._parts: tuple[SharedPart, ...] = ()
        self._asked: dict[int, SharedPart] = {}
        self._new: list[SharedPart] = []
        self._retry_at, self._retry_after = 0.0, FIRST_RETRY
        self._connected_at = 0.0
        self._lock = new_lock()
        self._pid = 0
        self._is_awake = False
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Have the next wish start a thread in a forked child, which has none."""
        self.store.forget()
        self.lost, self._retry_at, self._asked = None, 0.0, {}
        for part in self._parts:
            part.reset_after_fork()

    def add(self, part: SharedPart) -> None:
        """Serve a part from now on."""
        with self._lock:
            self._parts = (*self._parts, part)
            self._new.append(part)
        self.wake(part)

    def remove(self, part: SharedPart) -> None:
        """Serve a part no longer."""
        with self._lock:
            self._parts = tuple(other for other in self._parts if other is not part)
        self._asked.pop(id(part), None)
        if not self._parts:
            self._wake_thread()  # which closes the connection

    def wake(self, part: SharedPart) -> None:
        """Have a part work as soon as possible. Never waits; any thread or signal handler may call it."""
        self._asked[id(part)] = part
        self.run()
        self._wake_thread()

    def run(self) -> None:
        """Start the thread, unless this process has it."""
        if self._pid != os.getpid():
            self._start()

    def _wake_thread(self) -> None:
        if self._pid == os.getpid() and not self._is_awake:
            self._is_awake = True  # one token is enough, so that the queue does not grow while the store hangs
            self._tokens.put(None)

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            self._tokens: SimpleQueue[None] = SimpleQueue()
            self._is_awake = False
            weakref.finalize(self, self._tokens.put, None)
            self._pid = os.getpid()
        arguments = (weakref.ref(self), self._tokens)
        threading.Thread(target=_run, args=arguments, name="resilience-shared", daemon=True).start()

    # --- in the thread ------------------------------------------------------------------------

    def beat(self) -> float | None:
        """Do what is due; return the seconds until something is due again, or None if nothing is."""
        self._is_awake = False
        if not self._parts:
            self.store.close()
            self.lost = None
            return None
        now = time.monotonic()
        if self.lost and now < self._retry_at:
            self._tell_new(self.lost)
            return self._retry_at - now
        try:
            if self.lost != "":
                self._connect()
            self._work(now)
        except StoreLostError as error:
            self._lose(str(error))
            return self._retry_after
        return self._seconds_left()

    def _connect(self) -> None:
        self.store.connect()
        self.lost, self._connected_at = "", time.monotonic()
        for part in self._parts:
            part.store_back()

    def _work(self, now: float) -> None:
        self._new.clear()
        mistake: Exception | None = None
        for part in self._parts:
            due = part.next_due()
            if self._asked.pop(id(part), None) is not None or (due is not None and due <= now):
                try:
                    part.work(self.store)
                except StoreLostError:
                    raise
                except Exception as error:  # the others go on: one of them is the kill switch
                    mistake = error
        if mistake is not None:
            raise mistake

    def _seconds_left(self) -> float | None:
        due = [instant for part in self._parts if (instant := part.next_due()) is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _lose(self, reason: str) -> None:
        is_news, now = not self.lost, time.monotonic()
        was_in_use = self.lost == "" and now - self._connected_at > LONGEST_RETRY  # and did not only let us connect
        self.store.close()
        self.lost = reason
        self._retry_after = FIRST_RETRY if was_in_use else min(LONGEST_RETRY, self._retry_after * 2)
        self._retry_at = now + self._retry_after
        if is_news:
            self._new[:] = self._parts
        self._tell_new(reason)

    def _tell_new(self, reason: str) -> None:
        """Tell the parts that do not know it yet that the store is lost."""
        while self._new:
            self._new.pop(0).store_lost(reason)


def _run(reference: weakref.ref[StoreLink], tokens: SimpleQueue[None]) -> None:
    """Serve a link until it is gone."""
    while True:
        link = reference()
        if link is None:
            return
        try:
            wait = link.beat()
        except Exception:  # a part's mistake must not end the thread
            wait = LONGEST_RETRY
        del link  # else it would never be gone
        try:
            tokens.get(timeout=wait)
        except Empty:
            pass
