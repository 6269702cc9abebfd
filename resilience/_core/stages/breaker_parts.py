"""Makes the parts of a breaker that an attempt needs only once one has failed, or somebody has switched the breaker.

Where a policy has very many keys, each has its breaker, and most of these never fail. Until then a breaker is a few
numbers and its window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from threading import RLock
from typing import Any, NamedTuple

from ..base.fork_safety import new_lock
from .breaker_trials import Trials
from .pybreaker_state import BreakerState

__all__ = ["BreakerParts", "new_parts"]


class BreakerParts(NamedTuple):
    """What changes of a breaker's state need. Made once for each breaker.

    Attributes:
        lock: is held during a change.
        deferred: changes that a signal handler has left to the holder of the lock.
        trials: the permits that are out while it is half-open.
        states: pybreaker's objects, and the queue of notices.
        generations: numbers the generations after the first one.
        refusals: `next(refusals)` counts a call that was rejected.
    """

    lock: RLock
    deferred: deque[tuple[Callable[..., Any], tuple[Any, ...]]]
    trials: Trials
    states: BreakerState
    generations: Iterator[int]
    refusals: Iterator[int]


def new_parts(name: str, open_for: float, failures_in_a_row: Callable[[], int]) -> BreakerParts:
    """Return the parts of a closed breaker.

    Args:
        name: what the breaker guards.
        open_for: seconds for which it opens at first.
        failures_in_a_row: returns its failures since the last success; it must not keep the breaker alive.
    """
    trials = Trials()
    states = BreakerState(name, open_for, lambda: (failures_in_a_row(), trials.succeeded))
    return BreakerParts(new_lock(), deque(), trials, states, count(2), count())
