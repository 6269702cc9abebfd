"""Defines the protocol of a clock, which the system's clock and those of tests and simulations have."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Clock"]


class Clock(Protocol):
    """Reads the time and waits. All values are seconds."""

    def monotonic(self) -> float:
        """Return a time that never steps; only differences between two of them have a meaning."""

    def time(self) -> float:
        """Return Unix time."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    async def asleep(self, seconds: float) -> None:
        """Wait while other tasks run."""
