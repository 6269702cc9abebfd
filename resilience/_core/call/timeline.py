"""Computes when the attempts of one call begin and end, at the earliest and at the latest, and where the deadline cuts.

From the settings alone. Earliest means that every attempt fails at once and every wait is its shortest; latest that
every attempt takes all of its time and every wait is its longest. Waits for a quota, a slot or a breaker come on top;
they stay inside the deadline as well.
"""

from __future__ import annotations

from math import inf
from typing import Any

from ..policy.policy import Policy
from ..stages.retry import waits_of

__all__ = ["timeline"]


def timeline(policy: Policy, *, whole: bool = False) -> list[dict[str, Any]]:
    """Return a row for each attempt that can happen at all. Seconds since the call began; None means no limit.

    Args:
        policy: the settings.
        whole: an attempt begins only where all of its time fits the deadline, as that of a write that is looked up.
    """
    end = inf if policy.deadline is None else policy.deadline
    limit = inf if policy.attempt_timeout is None else policy.attempt_timeout
    need = limit if whole and limit != inf else 0.0
    rows: list[dict[str, Any]] = []
    earliest = latest = 0.0
    for number, (shortest, longest) in enumerate([(0.0, 0.0), *waits_of(policy)], 1):
        earliest, latest = earliest + shortest, latest + longest
        if earliest >= end or earliest + need > end:
            break
        # The latest begin may be after the deadline: then this attempt happens only where earlier ones were quick.
        always_fits = latest < end and latest + need <= end
        ends_by = min(latest + limit, end) if always_fits else end
        rows.append(
            {
                "attempt": number,
                "waits": {"least": shortest, "longest": longest},
                "begins": {"earliest": earliest, "latest": _finite(latest if always_fits else end - need)},
                "ends_by": _finite(ends_by),
                "always_fits": always_fits,
                "cut_by_deadline": latest + limit > end,
            }
        )
        latest = latest + limit
    return rows


def _finite(seconds: float) -> float | None:
    return None if seconds == inf else round(seconds, 9)
