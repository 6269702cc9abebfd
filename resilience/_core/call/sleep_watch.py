"""Notices when the machine has slept: its wall clock has moved on by more than its monotonic clock.

A monotonic clock may stand still while a laptop is closed or a virtual machine is paused (macOS, and Linux without
`CLOCK_BOOTTIME`). A deadline means the time of the world, so what was slept counts against it.
"""

from __future__ import annotations

from ..base.clock import Clock

__all__ = ["DeadlineWatch", "SleepWatch"]

_SMALL_STEP = 1.0  # seconds: a time server that sets the clock steps it by less


class SleepWatch:
    """Compares two clocks from its creation on. Used by one thread or task."""

    __slots__ = ("_clock", "_offset")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.time() - clock.monotonic()

    def seconds_slept(self) -> float:
        """Return how many seconds the monotonic clock has missed since this was last asked; 0 for a small step."""
        before, self._offset = self._offset, self._clock.time() - self._clock.monotonic()
        slept = self._offset - before
        return slept if slept > _SMALL_STEP else 0.0


class DeadlineWatch:
    """Says whether an instant has passed, by the monotonic or by the wall clock. Used by one thread or task."""

    __slots__ = ("_clock", "_end", "_sleep_watch")

    def __init__(self, clock: Clock, end: float) -> None:
        """Begin now; `end` is a monotonic instant of the clock."""
        self._clock = clock
        self._end = end
        self._sleep_watch = SleepWatch(clock)

    @property
    def is_over(self) -> bool:
        """Whether it has passed; what the machine has slept since this began counts."""
        self._end -= self._sleep_watch.seconds_slept()
        return self._clock.monotonic() >= self._end
