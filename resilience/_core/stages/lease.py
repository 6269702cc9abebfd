"""Defines what a shared window asks of a store, and what it is given: permits for a while."""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

__all__ = ["EndedLease", "Lease", "LeaseQuestion"]


class Lease(NamedTuple):
    """Permits of a store.

    Attributes:
        begin: monotonic instant from which they may be spent.
        until: monotonic instant from which they may not.
        permits: how many sends.
        receipt: what the store calls it.
        is_unsure: it begins so late that the store may have lost its memory by then: it is not spent until the store
            has been asked again.
        wall_until: Unix time from which they may not be spent either. A monotonic clock may stand still while a machine
            sleeps or is paused, and its lease has ended all the same.
    """

    begin: float
    until: float
    permits: int
    receipt: Any
    is_unsure: bool = False
    wall_until: float = inf


class EndedLease(NamedTuple):
    """A lease that this process spends no more.

    Attributes:
        lease: the permits that were granted.
        spent: how many of them were spent.
    """

    lease: Lease
    spent: int = 0


class LeaseQuestion(NamedTuple):
    """What a window asks of a store.

    Attributes:
        wanted: permits.
        ended: the leases that have ended; what was not spent can be leased again.
        overdrawn: cancels that were sent without a permit, which count against the limit as well.
        least: permits without which nobody who waits could send.
    """

    wanted: int
    ended: tuple[EndedLease, ...]
    overdrawn: int
    least: int = 1
