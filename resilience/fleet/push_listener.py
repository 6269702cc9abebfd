"""Listens to the channels of a store, so that a change in one process reaches all others at once.

A message says only that something has changed: whoever subscribed asks the store what. So a message that comes twice
costs a question, and after a connection that was lost everything is asked anew. The listener has a connection and a
thread of its own, because reading blocks.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from .._core.base.fork_safety import new_lock
from .store import Store
from .store_errors import StoreLostError, UnsafeStoreError

__all__ = ["PushListener", "listener_to"]

SILENCE = 1.0  # seconds without a message after which the store is asked whether it is there
LOOK_AGAIN = 0.2  # seconds after which a new channel is subscribed at the latest
RETRY_AFTER = 0.25  # seconds between attempts to subscribe
_LISTENERS: weakref.WeakValueDictionary[tuple[str, float], PushListener] = weakref.WeakValueDictionary()
_LOCK = new_lock()


def listener_to(url: str, patience: float) -> PushListener:
    """Return the listener of this process to a store."""
    with _LOCK:
        listener = _LISTENERS.get((url, patience))
        if listener is None:
            listener = _LISTENERS[url, patience] = PushListener(url, patience)
        return listener


class PushListener:
    """Calls a function for each message of a channel, and after each new subscription. Safe across threads.

    Attributes:
        danger: why nothing can be received, such as a command that the store's user may not run; else empty.
    """

    def __init__(self, url: str, patience: float) -> None:
        self._url = url
        self._patience = patience
        self._callbacks: dict[str, weakref.WeakSet[Any]] = {}
        self._lock = new_lock()
        self._pid = 0
        self.danger = ""

    def subscribe(self, channel: str, listener: Any) -> None:
        """Call `listener.changed(message)` for each message, for as long as the listener lives. It must not wait.

        A process that was forked has to subscribe again.

        Raises:
            UnsafeStoreError: nothing can be received.
        """
        with self._lock:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                self._callbacks = {}
                self._start()
            self._callbacks.setdefault(channel, weakref.WeakSet()).add(listener)
        if self.danger:
            raise UnsafeStoreError(self.danger)

    def _start(self) -> None:
        store = Store(self._url, self._patience)
        thread = threading.Thread(target=_run, args=(weakref.ref(self), store), name="resilience-push", daemon=True)
        thread.start()

    def channels(self) -> set[str]:
        """Return the channels that somebody listens to."""
        return {channel for channel, listeners in tuple(self._callbacks.items()) if listeners}

    def deliver(self, message: Any) -> None:
        """Call the listeners of a message, or of a subscription that has begun."""
        if message["type"] not in ("message", "subscribe"):
            return
        self.danger = ""
        text = message["data"].decode() if message["type"] == "message" else ""
        for listener in tuple(self._callbacks.get(message["channel"].decode(), ())):
            listener.changed(text)

    def refuse(self, danger: str) -> None:
        """Have whoever listens learn, at its next subscription, why nothing can be received."""
        self.danger = danger
        for listener in {one for listeners in tuple(self._callbacks.values()) for one in tuple(listeners)}:
            listener.changed("")


def _run(reference: weakref.ref[PushListener], store: Store) -> None:
    """Listen until the listener is gone."""
    while reference() is not None:
        try:
            _listen(reference, store)
        except UnsafeStoreError as error:
            if (listener := reference()) is not None:
                listener.refuse(str(error))
            listener = None
        except StoreLostError:
            pass
        except Exception:  # a mistake of a listener must not end the thread
            pass
        store.close()
        time.sleep(RETRY_AFTER)


def _listen(reference: weakref.ref[PushListener], store: Store) -> None:
    """Subscribe, and deliver messages until the listener is gone.

    Raises:
        StoreLostError: the connection is lost.
    """
    store.connect()
    pubsub = store.call(lambda client: client.pubsub())
    subscribed: set[str] = set()
    last, is_asked = time.monotonic(), False
    while True:
        listener = reference()
        if listener is None:
            return
        subscribed = _subscribe(store, pubsub, subscribed, listener.channels())
        del listener  # else it would never be gone
        message = _next_message(store, pubsub, bool(subscribed))
        if message is not None:
            last, is_asked = time.monotonic(), False
            _deliver(reference, message)
        elif subscribed and time.monotonic() - last > SILENCE:
            if is_asked:
                raise StoreLostError("no answer")
            store.call(lambda _: pubsub.ping())
            last, is_asked = time.monotonic(), True


def _next_message(store: Store, pubsub: Any, is_subscribed: bool) -> Any:
    """Wait for a message; returns None if there was none."""
    if is_subscribed:
        return store.call(lambda _: pubsub.get_message(timeout=LOOK_AGAIN))
    time.sleep(LOOK_AGAIN)
    return None


def _subscribe(store: Store, pubsub: Any, before: set[str], after: set[str]) -> set[str]:
    for change, channels in ((pubsub.subscribe, after - before), (pubsub.unsubscribe, before - after)):
        if channels:
            store.call(partial(_change, change, channels))
    return after


def _change(change: Callable[..., Any], channels: Iterable[str], _client: Any) -> None:
    change(*channels)


def _deliver(reference: weakref.ref[PushListener], message: Any) -> None:
    listener = reference()
    if listener is not None:
        listener.deliver(message)
