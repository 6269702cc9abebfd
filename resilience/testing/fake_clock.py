"""Provides a clock that never waits, and a context manager that makes waits on the real clock return at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .._drivers.system_clock import SystemClock, checkpoint

__all__ = ["FakeClock", "no_waits"]

_lock = threading.RLock()  # reentrant, like that of a clock: a signal handler may make calls of its own


class FakeClock:
    """A clock that moves only by `advance` and by sleeps; a sleep returns at once and is recorded.

    Safe across threads and tasks. All sleepers share one time: two tasks that sleep one second each advance it by
    two.

    Attributes:
        sleeps: the seconds of every sleep, in order.

    Example:
        >>> clock = FakeClock()
        >>> clock.sleep(1.5)
        >>> clock.monotonic(), clock.sleeps
        (1.5, [1.5])
    """

    def __init__(self, start: float = 0.0, wall: float = 1_700_000_000.0) -> None:
        """Set both times.

        Args:
            start: the monotonic time in seconds.
            wall: the Unix time in seconds.
        """
        self.sleeps: list[float] = []
        self._lock = threading.RLock()
        self._now = float(start)
        self._wall = float(wall) - self._now

    def monotonic(self) -> float:
        """Return the monotonic time in seconds."""
        return self._now

    def time(self) -> float:
        """Return the Unix time in seconds; it advances with the monotonic time."""
        return self._wall + self._now

    def advance(self, seconds: float) -> None:
        """Advance both times without recording a sleep.

        Raises:
            ValueError: `seconds` is negative or not a number.
        """
        if not seconds >= 0:  # not `seconds < 0`, which is false for NaN
            raise ValueError(f"advance() needs 0 or more seconds; got {seconds!r}")
        with self._lock:
            self._now += seconds

    def step_wall(self, seconds: float) -> None:
        """Move the Unix time alone, forward or back, as an operator or a time server does."""
        with self._lock:
            self._wall += seconds

    def sleep(self, seconds: float) -> None:
        """Record the sleep, advance the clock and return at once."""
        self.advance(seconds)
        self.sleeps.append(seconds)

    async def asleep(self, seconds: float) -> None:
        """Record the sleep, advance the clock, and let other tasks run once, under asyncio or trio."""
        self.sleep(seconds)
        await checkpoint()


@contextmanager
def no_waits() -> Iterator[None]:
    """Make every wait on the real clock return at once, in all threads and tasks.

    Time itself does not move: a test of deadlines, breakers, quotas or fences needs a `FakeClock`.
    """
    with _lock:
        SystemClock.skipping += 1  # a counter, because blocks may nest or overlap in threads
    try:
        yield
    finally:
        with _lock:
            SystemClock.skipping -= 1
