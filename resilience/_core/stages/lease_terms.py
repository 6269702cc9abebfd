"""Computes how a limit is divided: the part that is leased to whoever asks, and the standing part of each process.

The standing part (law 4) is never leased. Each process may use its own without asking anybody, so that a process that
has lost the store goes on, and no partition exceeds the limit. Of `limit` sends per window and `processes`:

    standing = max(1, floor(8 % of limit / processes))      per process, where limit >= processes
    standing = 0                                            where limit < processes
    leased   = limit - standing * processes
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["LeaseTerms", "lease_terms"]

STANDING_SHARE = 0.08
"""Share of a limit that is not leased."""
_OF_A_LEASE = 0.6
"""Share of what the leased limit allows in one lease that one process may take at once: 6 of 100/s in 100 ms."""


class LeaseTerms(NamedTuple):
    """How one window is shared.

    Attributes:
        leased: sends per window that are leased, to all processes together.
        standing: sends per window that each process has for itself.
        reserve: how many of those are for cancels alone.
        is_open: other calls use the standing part while the store answers, too. It is more than 8 % of the limit then,
            because each process has one send at least, and would be lost to the fleet.
        max_batch: sends that one lease has at most.
        patience: seconds for which a call waits for an answer of the store.
    """

    leased: int
    standing: int
    reserve: int
    is_open: bool
    max_batch: int
    patience: float


def lease_terms(limit: int, span: float, processes: int, lease: float, patience: float) -> LeaseTerms:
    """Return the terms of a window of `limit` sends in `span` seconds, for leases of `lease` seconds."""
    standing = max(1, int(STANDING_SHARE * limit / processes)) if limit >= processes else 0
    leased = limit - standing * processes
    batch = max(1, round(_OF_A_LEASE * leased / span * lease))
    return LeaseTerms(
        leased=leased,
        standing=standing,
        reserve=(standing + 3) // 4 if standing > 1 else 0,
        is_open=standing * processes > STANDING_SHARE * limit,
        max_batch=max(1, min(batch, leased)),
        patience=patience,
    )
