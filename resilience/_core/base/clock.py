"""What the drivers need of time; real clocks and fake ones have this shape."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Clock"]


class Clock(Protocol):
    """A source of time and of waiting. All values are seconds."""

    def monotonic(self) -> float:
        """Return a time that never steps; only differences mean something."""

    def time(self) -> float:
        """Return Unix time."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    async def asleep(self, seconds: float) -> None:
        """Wait, letting other tasks run."""
