"""Keeps the exchange's time for stamps, measured from its responses.

Stamps use our own clock until the exchange rejects one. Then the offset is measured, and from there on stamps follow
the monotonic clock, so that a step of our wall clock changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["ServerClock"]


class ServerClock:
    """Unix time for stamps, in seconds. Safe across threads: a measurement replaces one attribute."""

    __slots__ = ("_base", "_monotonic", "_wall")

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._base: float | None = None  # server time minus monotonic time

    @property
    def offset(self) -> float:
        """The seconds by which the exchange is ahead of our wall clock; 0 until it was measured."""
        return 0.0 if self._base is None else self._base + self._monotonic() - self._wall()

    def now(self) -> float:
        """Return the exchange's Unix time in seconds as well as it is known."""
        base = self._base
        return self._wall() if base is None else base + self._monotonic()

    def monotonic(self) -> float:
        """Return the monotonic time in seconds; read it before sending, and pass it to `measure`."""
        return self._monotonic()

    def measure(self, server_time: float, sent: float) -> None:
        """Set the offset from the server's Unix time in the response to a request sent at monotonic time `sent`.

        The server read its clock between sending and now. Assuming the middle is wrong by at most half the round trip.
        """
        # Cristian's algorithm: the server's time belongs to the middle between sending and receiving.
        self._base = server_time - (sent + self._monotonic()) / 2
