"""Counts what repeats, so that an outage writes a few lines and not one for each call that it rejects."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import count
from math import inf

from .._core.base.event import Event, is_power_of_ten

__all__ = ["Repeats", "is_remedy_line"]

QUIET = 60.0
"""Seconds without a repetition after which the next one counts as the first."""
QUIET_REMEDY = 600.0
"""The same where a person has to act, which takes longer."""
MAX_KINDS = 1_024


class Repeats:
    """Counts events of a kind: the first is written, the tenth, the hundredth and so on. Safe across threads."""

    # Without a lock: a signal handler may write too. `next` of a counter is one call into C, and a count that is lost
    # where two threads begin one at the same moment changes no more than a number in a line.
    __slots__ = ("_kinds",)

    def __init__(self) -> None:
        self._kinds: dict[Hashable, tuple[count[int], list[float]]] = {}

    def times(self, event: Event) -> int:
        """Return how often this has happened, 0 where it is not to be written. What is never repeated gets 1."""
        if event.name == "circuit_closed":
            for name in ("circuit_opened", "circuit_half_opened"):
                self._kinds.pop((name, event.policy, event.breaker), None)
        kind = _kind(event)
        quiet = QUIET_REMEDY if is_remedy_line(event) else QUIET
        return 1 if kind is None else self._count(kind, event.at or 0.0, quiet)

    def _count(self, kind: Hashable, at: float, quiet: float) -> int:
        if len(self._kinds) >= MAX_KINDS and kind not in self._kinds:
            self._kinds = {}
        numbers, last = self._kinds.setdefault(kind, (count(1), [inf]))
        if at - last[0] > quiet:
            numbers, last = self._kinds[kind] = count(1), [at]
        last[0] = at
        times = next(numbers)
        return times if is_power_of_ten(times) else 0


def _kind(event: Event) -> Hashable:
    """Return what an event is a repetition of; None where each event of its name is written."""
    if event.inner or event.name == "call_rejected":
        return event.name, event.policy, event.operation, event.host, event.reason, event.caused_by
    if event.name in ("circuit_opened", "circuit_half_opened"):
        return event.name, event.policy, event.breaker
    is_error_of_stream = event.name == "attempt_failed" and event.wait_for is None  # such as a frame that is no JSON
    if event.socket is not None and (is_error_of_stream or event.name == "budget_exhausted"):
        return event.name, event.policy, event.operation, event.code, event.caused_by
    if is_remedy_line(event):
        return event.name, event.policy, event.operation, event.registry, event.code, event.remedy
    return None


def is_remedy_line(event: Event) -> bool:
    """Return whether a line is of a failure that a person can mend: it repeats until somebody has done so.

    Each has a line, for `replay` and for those who read every call; what is counted is at which level, and with what.
    A write of uncertain outcome has another event.
    """
    return (
        event.name in ("attempt_failed", "call_failed")
        and event.category == "user_fixable"
        and event.socket is None
        and not event.inner
    )
