"""Defines the fence: the bounds of an API after which a write that was sent cannot happen any more."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

__all__ = ["Fence"]


@dataclass(frozen=True, slots=True)
class Fence:
    """An API's bounds in seconds, which say when "not found" is proof that a write did not happen.

    Attributes:
        window: W, for how long after its stamp a signed request is accepted.
        processing: P, the longest time that the server works on a request after it has checked the stamp.
        lag: L, the longest time that an accepted order is invisible to a lookup.
        retention: for how long a lookup knows an order.
    """

    window: float = 30.0
    processing: float = 3.0
    lag: float = 2.0
    retention: float = inf

    @property
    def whole(self) -> float:
        """Return the monotonic wait after the last send past which "not found" is true: 2 W + P + L."""
        return 2 * self.window + self.processing + self.lag
