"""The exchange's limits on sockets, counted in sandbox seconds; what a client exceeded is remembered as text."""

from __future__ import annotations

from collections import deque

__all__ = ["CONNECTS", "DAY", "FRAMES", "MOST_BYTES", "MOST_CHANNELS", "MOST_OPEN", "NOTICE", "PATIENCE", "SUBSCRIBES"]
__all__ += ["Tally"]

CONNECTS = (300, 300.0)
"""Handshakes in 5 min."""
SUBSCRIBES = (240, 3600.0)
"""Subscribe requests an hour and connection."""
FRAMES = (10, 1.0)
"""Frames a second and connection, pings included."""
MOST_BYTES = 4096
"""Bytes of one message."""
MOST_CHANNELS = 1000
"""Subscriptions of one connection."""
MOST_OPEN = 100
"""Connections at the same time."""
PATIENCE = 120.0
"""Seconds without a ping after which a connection is dropped."""
DAY = 86_400.0
"""Seconds after which a connection is ended."""
NOTICE = 60.0
"""Seconds between the notice of an upgrade and the disconnect."""


class Tally:
    """Counts what happened within the last so many seconds, of which so many are allowed."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._times: deque[float] = deque()

    def over(self, now: float) -> bool:
        """Count one more and return whether that is too many."""
        self._times.append(now)
        while self._times[0] <= now - self._seconds:
            self._times.popleft()
        return len(self._times) > self._most
