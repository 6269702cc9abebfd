"""Computes how calls went lately: how many a second, the share that succeeded, attempts a call, refusals."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

__all__ = ["CallRates"]

_SPAN = 10.0  # seconds over which rates are computed
_OUTCOMES = ("ok", "failed", "rejected", "unknown", "cancelled")
_MAX_OPERATIONS = 12  # those with most calls

_Totals = dict[tuple[str, str], tuple[int, ...]]


class CallRates:
    """The rates of the last ten seconds. Used by one thread.

    Attributes:
        failed_attempts: how many attempts have failed since the start, as the caller counts them.
    """

    def __init__(self) -> None:
        self.failed_attempts = 0
        self._samples: deque[tuple[float, int, _Totals]] = deque()

    def sample(self, snapshot: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Take a snapshot and return the rates between it and the one of ten seconds before.

        Args:
            snapshot: what `Policies.snapshot()` returned just now.
            now: monotonic seconds: the wall clock may be set, and rates would be wrong for as long as it was set back.
        """
        totals = {
            (row["policy"], row["operation"]): tuple(row[name] for name in _OUTCOMES) for row in snapshot["counters"]
        }
        samples = self._samples
        samples.append((now, self.failed_attempts, totals))
        while len(samples) > 2 and samples[1][0] <= now - _SPAN:
            samples.popleft()
        then, failed_attempts, before = samples[0]
        seconds = now - then
        if seconds <= 0:  # the first one
            seconds, before, failed_attempts = 0.0, totals, self.failed_attempts
        rows = [_row(name, counts, before.get(name, (0,) * len(_OUTCOMES)), seconds) for name, counts in totals.items()]
        rows.sort(key=lambda row: (-row["calls"], row["operation"]))
        return {**_whole(rows, self.failed_attempts - failed_attempts, seconds), "operations": rows[:_MAX_OPERATIONS]}


def _row(name: tuple[str, str], counts: tuple[int, ...], before: tuple[int, ...], seconds: float) -> dict[str, Any]:
    changed = dict(zip(_OUTCOMES, (now - then for now, then in zip(counts, before, strict=True)), strict=True))
    total = sum(changed.values())
    return {
        "policy": name[0],
        "operation": name[1],
        "calls": total,
        "rate": total / seconds if seconds else 0.0,
        "success": changed["ok"] / total if total else None,
        **changed,
        "total": sum(counts),
    }


def _whole(rows: list[dict[str, Any]], failed_attempts: int, seconds: float) -> dict[str, Any]:
    total = sum(row["calls"] for row in rows)
    counts = {name: sum(row[name] for row in rows) for name in _OUTCOMES}
    sent = total - counts["rejected"]
    return {
        "seconds": seconds,
        "rate": total / seconds if seconds else 0.0,
        "success": counts["ok"] / total if total else None,
        "attempts": (counts["ok"] + failed_attempts) / sent if sent else None,
        **counts,
    }
