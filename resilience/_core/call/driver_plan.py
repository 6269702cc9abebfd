"""Lists what a driver's hot path needs of a plan, so that each compiled function binds it once, by one assignment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ..stages.breaker import Breaker
from ..stages.hold import OperationHold
from ..stages.rate_window import RateWindow
from .idempotency_key import KeySlot
from .outcome_counts import OutcomeCounts
from .quick_gate import NewSlot, TakeAtOnce
from .send_log import SendLog

__all__ = ["DriverPlan", "FindBreaker"]

FindBreaker = Callable[[tuple[Any, ...], Mapping[str, Any]], Breaker | None]
"""Returns the breaker of a call with these `args` and `kwargs`."""


class DriverPlan(NamedTuple):
    """What every call of one operation reads.

    Attributes:
        now: returns the present instant.
        limit: seconds that a call may take, or inf.
        per_attempt: seconds that an attempt may take, no more than `limit`.
        keys: fills in the idempotency key, or None.
        breaker: the shared breaker; None where there is none, or where each call has its own.
        deposits: the counter of calls by which the retry budget is filled, or None.
        window: the one window that an attempt pays, where nothing else is needed for it; else None.
        hold: the shared holds of the operation.
        take_at_once: takes a slot and pays several windows; None where there is nothing but a breaker.
        new_slot: makes the slot of a call; None without admission.
        new_stamps: makes the log of a write that can be looked up; None for every other operation.
        successes: `next(successes)` counts a call that ended well.
        counts: how the calls have ended; a driver reads here whether somebody wants to know how long they took.
    """

    now: Callable[[], float]
    limit: float
    per_attempt: float
    keys: KeySlot | None
    breaker: Breaker | None
    deposits: Any
    window: RateWindow | None
    hold: OperationHold
    take_at_once: TakeAtOnce | None
    new_slot: NewSlot | None
    new_stamps: Callable[[], SendLog] | None
    successes: Iterator[int]
    counts: OutcomeCounts
