"""The exchange's clock, as far as the exchange has told it.

Stamps come from our own clock until the exchange refuses one. Then the offset is measured, and from
there on stamps follow the monotonic clock: a wall clock that steps changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["ServerClock"]


class ServerClock:
    """Unix time for stamps, in seconds. Safe across threads: one attribute is replaced at a time."""

    __slots__ = ("_base", "_monotonic", "_wall")

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._base: float | None = None

    @property
    def offset(self) -> float:
        """Return by how many seconds the exchange is ahead of our wall clock; 0 until it was measured."""
        return 0.0 if self._base is None else self._base + self._monotonic() - self._wall()

    def now(self) -> float:
        """Return the exchange's Unix time as well as it is known."""
        base = self._base
        return self._wall() if base is None else base + self._monotonic()

    def instant(self) -> float:
        """Return a monotonic instant, to be given to `told`."""
        return self._monotonic()

    def told(self, server_time: float, sent: float) -> None:
        """Take the server's Unix time from an answer to a request that was sent at this monotonic instant.

        The time was taken between sending and now: the middle is at most half the round trip off.
        """
        self._base = server_time - (sent + self._monotonic()) / 2
