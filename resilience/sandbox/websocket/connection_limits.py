"""Defines the exchange's limits on sockets, in sandbox seconds, and counts events against them."""

from __future__ import annotations

from collections import deque

__all__ = [
    "CONNECT_RATE",
    "FRAME_RATE",
    "MAX_AGE",
    "MAX_CONNECTIONS",
    "MAX_MESSAGE_BYTES",
    "MAX_SUBSCRIPTIONS",
    "PING_TIMEOUT",
    "SUBSCRIBE_RATE",
    "UPGRADE_NOTICE",
    "RateCounter",
]

# These limits are those of Bitget's documentation for V2 and V3.
CONNECT_RATE = (300, 300.0)
"""Handshakes, and the seconds in which so many are allowed."""
SUBSCRIBE_RATE = (240, 3600.0)
"""Subscribe requests per connection, and the seconds in which so many are allowed."""
FRAME_RATE = (10, 1.0)
"""Frames per connection, pings included, and the seconds in which so many are allowed."""
MAX_MESSAGE_BYTES = 4096
"""Bytes of one message."""
MAX_SUBSCRIPTIONS = 1000
"""Subscriptions of one connection."""
MAX_CONNECTIONS = 100
"""Connections that are open at the same time."""
PING_TIMEOUT = 120.0
"""Seconds without a ping after which a connection is closed."""
MAX_AGE = 86_400.0
"""Seconds after which a connection is closed."""
UPGRADE_NOTICE = 60.0
"""Seconds between the notice of an upgrade and the disconnect."""


class RateCounter:
    """Counts events in a sliding window.

    Args:
        limit: how many events are allowed.
        seconds: the length of the window.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit, self._seconds = limit, seconds
        self._times: deque[float] = deque()

    def exceeds(self, now: float) -> bool:
        """Count one more event and return whether the limit is exceeded."""
        self._times.append(now)
        # The new event is in the deque, so it is never empty here.
        while self._times[0] <= now - self._seconds:
            self._times.popleft()
        return len(self._times) > self._limit
