"""Finds out when the requests of a run were good again after an incident, from shares of requests.

A share of 95 % needs 20 requests. The requests after an incident are therefore cut into blocks of whole steps with at
least so many requests each: with many clients a block is one step of half a second, with one quiet bot it is some
twenty seconds. A step without a request is neither good nor bad.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ["HELD", "STEP", "RecoveryTime", "find_recovery"]

HELD = 5.0
"""Seconds for which requests must be good before they count as recovered."""
STEP = 0.5
"""Seconds of a step."""
_MIN_REQUESTS = 20


class RecoveryTime(NamedTuple):
    """What was seen of the recovery. All times are seconds.

    Attributes:
        idle: from the end of the incident to the step with the first request; nothing can be seen earlier.
        after: from the end of the incident to the step from which on the requests were good.
        well: how long they were good from then on.
    """

    idle: float
    after: float
    well: float

    def seconds(self, held: float = HELD, step: float = STEP) -> float | None:
        """Return the duration of the recovery; None if it held for less than `held` seconds."""
        return self.after if self.well > 0 and self.well + step >= held else None


def find_recovery(
    begun: Sequence[float], good: Sequence[bool], over: float, share: float, step: float = STEP
) -> RecoveryTime:
    """Return what was seen of the recovery.

    Args:
        begun: when each request after the incident began, in seconds from its end, in order.
        good: whether each was good.
        over: the seconds from the end of the incident up to which requests had their full time.
        share: the share of the requests that must be good.
        step: the length of a step.
    """
    # Whole steps only: a step that is cut short would have too few requests for a share.
    steps = [int(when / step) for when in begun if when < int(over / step) * step]
    if not steps:
        return RecoveryTime(max(0.0, over), max(0.0, over), 0.0)
    idle = steps[0] * step
    lasting = [last for block in _blocks(steps) if (last := _last_bad(good, block, share)) is not None]
    after = max(idle, (steps[lasting[-1]] + 1) * step) if lasting else idle
    # Without a request afterwards nothing shows that the requests were good.
    return RecoveryTime(idle, after, over - after if steps[-1] * step >= after else 0.0)


def _blocks(steps: Sequence[int]) -> Iterator[range]:
    """Yield blocks of requests: whole steps, and enough requests for a share. The last block may overlap another."""
    first, total = 0, len(steps)
    while first < total:
        end = min(first + _MIN_REQUESTS, total)
        while end < total and steps[end] == steps[end - 1]:
            end += 1
        # The requests that are left over are too few for a share of their own.
        yield range(max(0, min(first, end - _MIN_REQUESTS)), end)
        first = end


def _last_bad(good: Sequence[bool], block: range, share: float) -> int | None:
    """Return the bad request after which a block has only as many bad ones as the share allows; None without one."""
    bad = [index for index in block if not good[index]]
    allowed = int(len(block) * (1 - share) + 1e-9)
    if len(bad) <= allowed:
        return None
    last = len(bad) - 1 - allowed
    # Bad requests in a row belong together, so the row counts up to its end.
    while last + 1 < len(bad) and bad[last + 1] == bad[last] + 1:
        last += 1
    return bad[last]
