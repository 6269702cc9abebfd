"""A clock that never waits, and waits on the real clock that return at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .._drivers.system_clock import SystemClock, checkpoint

__all__ = ["FakeClock", "no_waits"]


class FakeClock:
    """A clock that moves only when told to; a sleep returns at once, moves it and is recorded.

    Safe across threads and tasks. All sleepers share the one time: two tasks that sleep one second
    each move it by two.

    Attributes:
        sleeps: the seconds of every sleep, in order.

    Example:
        >>> clock = FakeClock()
        >>> clock.sleep(1.5)
        >>> clock.monotonic(), clock.sleeps
        (1.5, [1.5])
    """

    def __init__(self, start: float = 0.0, wall: float = 1_700_000_000.0) -> None:
        """Begin at `start` monotonic seconds, which is `wall` in Unix time."""
        self.sleeps: list[float] = []
        self._lock = threading.Lock()
        self._now = float(start)
        self._wall = float(wall) - self._now

    def monotonic(self) -> float:
        """Return the seconds since the clock's own beginning."""
        return self._now

    def time(self) -> float:
        """Return Unix time; it moves together with the monotonic time."""
        return self._wall + self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward without recording a sleep.

        Raises:
            ValueError: the time would step back.
        """
        if not seconds >= 0:
            raise ValueError(f"a clock moves forward only, got {seconds!r} seconds")
        with self._lock:
            self._now += seconds

    def step_wall(self, seconds: float) -> None:
        """Set the Unix time forward or back, as an operator or a time server does; monotonic time stays."""
        with self._lock:
            self._wall += seconds

    def sleep(self, seconds: float) -> None:
        """Record the sleep, move the clock and return at once."""
        self.advance(seconds)
        self.sleeps.append(seconds)

    async def asleep(self, seconds: float) -> None:
        """Do as `sleep` does, and let other tasks run once (asyncio and trio alike)."""
        self.sleep(seconds)
        await checkpoint()


@contextmanager
def no_waits() -> Iterator[None]:
    """Let every wait on the real clock return at once, in all threads and tasks.

    Time itself does not move: a test of deadlines, breakers, quotas or fences takes a `FakeClock`.
    """
    with _SKIPPING:
        SystemClock.skipping += 1
    try:
        yield
    finally:
        with _SKIPPING:
            SystemClock.skipping -= 1


_SKIPPING = threading.Lock()
