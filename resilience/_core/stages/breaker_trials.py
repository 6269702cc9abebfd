"""Keeps the trials of a half-open breaker: which attempts have a permit, and how many have succeeded."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol

__all__ = ["Permit", "TrialLease", "Trials"]


class Permit:
    """The right to make one trial while half-open. A lost one expires, so that it blocks nothing for ever.

    It is out while it is in `Trials.permits`. A call makes it before it asks the breaker and ends with
    `finally: permits.discard(permit)`, one call in C, whether it was given out or settled or neither. The attempts of
    one call, of which only one is under way at a time, may share one.

    Attributes:
        expires: the monotonic instant at which it counts as lost.
        spare: it was given out beyond the configured number, to an attempt of high priority.
        is_over: returns whether the event loop of the attempt has ended; None for a thread.
    """

    __slots__ = ("expires", "is_over", "spare")

    def __init__(self, is_over: Callable[[], bool] | None = None) -> None:
        self.expires = inf
        self.spare = False
        self.is_over = is_over


class TrialLease(Protocol):
    """Grants the trials of a breaker that is open in several processes together.

    Attributes:
        asked_until: monotonic instant until which a call waits for the answer to its wish for a trial.
    """

    asked_until: float

    def permits(self, now: float, wanted: int) -> int:
        """Return how many trials may be out in this process. If there are none, a wish is left; never waits."""


class Trials:
    """The permits that are out. Given out under the breaker's lock alone; given back without it.

    Attributes:
        permits: those that nobody has settled; a permit that is not among them counts no more. It is the same set for
            ever, so that a driver may hold its `discard`.
        succeeded: trials that succeeded since the breaker turned half-open.
    """

    __slots__ = ("permits", "succeeded")

    def __init__(self) -> None:
        self.permits: set[Permit] = set()
        self.succeeded = 0

    def begin(
        self, now: float, lost_after: float, permits: int, permit: Permit, *, high_priority: bool
    ) -> Permit | None:
        """Give out this permit and return it, or return None while all are out.

        While all are out, one high-priority attempt at a time gets a spare one: a cancel must not wait for a trial.
        """
        for other in tuple(self.permits):
            if other.expires <= now:
                self.permits.discard(other)
        out = tuple(self.permits)
        spares = sum(other.spare for other in out)
        spare = len(out) - spares >= permits
        if spare and (spares or not high_priority):
            return None
        permit.expires, permit.spare = now + lost_after, spare
        self.permits.add(permit)
        return permit

    def sweep(self) -> None:
        """Take back the permits of attempts that cannot end any more, as their event loop is closed."""
        for permit in tuple(self.permits):
            if permit.is_over is not None and permit.is_over():
                self.permits.discard(permit)

    def count_success(self, permit: Permit) -> None:
        """Take a permit back and count its success."""
        self.permits.discard(permit)
        self.succeeded += 1

    def reset(self) -> None:
        """Forget all permits and successes."""
        self.permits.clear()
        self.succeeded = 0
