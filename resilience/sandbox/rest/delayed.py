"""Delivers requests long after they were sent, when their client has given up."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..exchange.order_store import RefusedError

__all__ = ["DelayedDeliveries"]


class DelayedDeliveries:
    """The requests that are still on their way. Safe across threads.

    Attributes:
        epoch: how often the deliveries were discarded; a delivery checks whether it changed in the meantime.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self._pending = 0
        self._changed = threading.Condition()

    def start(self, deliver: Callable[[], None]) -> None:
        """Run a delivery in a thread of its own; a refusal is dropped, since no client waits for it."""

        def run() -> None:
            try:
                deliver()
            except RefusedError:
                pass
            finally:
                self._count(-1)

        # Counted here and not in the thread, so that a `wait` right after this call does not miss it.
        self._count(+1)
        # A daemon, so that a test that ends does not wait for deliveries.
        threading.Thread(target=run, daemon=True).start()

    def discard(self) -> None:
        """Have every delivery that is under way end without an effect."""
        with self._changed:
            self.epoch += 1

    def wait(self, timeout: float) -> None:
        """Wait until no delivery is under way, for at most `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending == 0, timeout)

    def _count(self, change: int) -> None:
        with self._changed:
            self._pending += change
            self._changed.notify_all()
