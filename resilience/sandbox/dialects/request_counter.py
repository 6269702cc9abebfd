"""Counts requests against limits in fixed windows of time."""

from __future__ import annotations

from threading import Lock

__all__ = ["RequestCounter"]

_MAX_SLOTS = 1000


class RequestCounter:
    """How many requests there were in the current window of each limit. Safe across threads."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, int], int] = {}
        self._lock = Lock()

    def count(self, name: str, seconds: float, now: float, amount: int = 1) -> int:
        """Count a request and return how many there were in this window, it included.

        Args:
            name: of the limit.
            seconds: the length of its window.
            now: the exchange's Unix time.
            amount: what the request counts for.
        """
        slot = name, int(now / seconds)
        with self._lock:
            if len(self._used) > _MAX_SLOTS:  # past windows are of no use; this bounds the memory of a long run
                self._used = {key: used for key, used in self._used.items() if key[0] == name and key[1] == slot[1]}
            used = self._used[slot] = self._used.get(slot, 0) + amount
        return used
