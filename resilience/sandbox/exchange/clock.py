"""Provides the clock of the sandbox exchange: Unix time plus an offset that tests can change."""

from __future__ import annotations

import time

__all__ = ["ExchangeClock"]


class ExchangeClock:
    """The exchange's own clock.

    Attributes:
        offset: seconds by which it is ahead of the machine's clock.
    """

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def now(self) -> float:
        """Return the exchange's Unix time in seconds."""
        # Not monotonic: timestamps of requests are Unix times, and tests move the clock in both directions.
        return time.time() + self.offset
