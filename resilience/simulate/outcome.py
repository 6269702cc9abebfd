"""Keeps what happened to each request of a run, and computes shares from it.

A request is *good* when its answer comes within `soon` seconds of its beginning.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from .._core.base.deprecation import warn
from .recovery_time import HELD, STEP, RecoveryTime, find_recovery
from .scenario import Scenario

__all__ = ["Outcome", "SimulatedRequest"]


@dataclass(slots=True)
class SimulatedRequest:
    """One request of a caller. Times are seconds on the run's clock.

    Attributes:
        begun: when it began.
        ended: when it ended; None if it has not ended yet.
        answered: whether it got the answer that it asked for.
        deceived: whether its caller got an error body or a fallback without an exception.
    """

    begun: float
    ended: float | None = None
    answered: bool = False
    deceived: bool = False

    @property
    def duration(self) -> float:
        """Seconds from beginning to end; 0 if it has not ended."""
        return 0.0 if self.ended is None else self.ended - self.begun

    def is_good(self, soon: float) -> bool:
        """Return whether it was answered within `soon` seconds."""
        return self.answered and self.ended is not None and self.ended - self.begun <= soon


class Outcome:
    """The requests and attempts of one run."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.requests: list[SimulatedRequest] = []
        """In the order in which they began."""
        self.attempts: list[float] = []
        """When each attempt reached the service."""

    def begun(self, start: float, end: float) -> list[SimulatedRequest]:
        """Return the requests that began between two instants."""
        low = bisect_left(self.requests, start, key=_begin_of)
        return self.requests[low : bisect_left(self.requests, end, key=_begin_of)]

    def attempts_per_request(self, start: float, end: float) -> float:
        """Return the attempts that reached the service between two instants, per request that began then."""
        sent = bisect_left(self.attempts, end) - bisect_left(self.attempts, start)
        return sent / max(1, len(self.begun(start, end)))

    def attempts_a_request(self, start: float, end: float) -> float:
        """Deprecated name of `attempts_per_request`."""
        warn("Outcome.attempts_a_request is deprecated: use .attempts_per_request")
        return self.attempts_per_request(start, end)

    def seconds_to_fail(self, start: float, end: float) -> float:
        """Return the mean duration of the failed requests that began between two instants; NaN if none failed."""
        requests = self.begun(start, end)
        durations = [request.duration for request in requests if request.ended is not None and not request.answered]
        return sum(durations) / len(durations) if durations else float("nan")

    def success(self, start: float, end: float) -> float:
        """Return the share of answered requests among those that began between two instants and have ended."""
        answered = [request.answered for request in self.begun(start, end) if request.ended is not None]
        return sum(answered) / max(1, len(answered))

    def good(self, start: float, end: float) -> float:
        """Return the share of good requests among those that began between two instants."""
        requests = self.begun(start, end)
        return sum(request.is_good(self.scenario.soon) for request in requests) / max(1, len(requests))

    def recovery(self, since: float, share: float = 0.95, step: float = STEP, held: float = HELD) -> float | None:
        """Return the seconds from `since` until at least `share` of the requests is good up to the end of the run.

        The requests are counted in steps of `step` seconds, and in longer ones where they are few. Returns None if
        they were not good again, or for less than `held` seconds, so that it cannot be said to hold.
        """
        return self.recovery_seen(since, share, step).seconds(held, step)

    def recovery_seen(self, since: float, share: float = 0.95, step: float = STEP) -> RecoveryTime:
        """Return all that was seen of the recovery from an incident that ended at `since`."""
        requests = self.requests[bisect_left(self.requests, since, key=_begin_of) :]
        # A run with `settled` may end early. Otherwise it ends when the scenario says, whether or not requests come.
        end = self.scenario.lasts if self.scenario.settled is None else requests[-1].begun if requests else since
        soon = self.scenario.soon
        begun, good = [one.begun - since for one in requests], [one.is_good(soon) for one in requests]
        return find_recovery(begun, good, end - soon - since, share, step)


def _begin_of(request: SimulatedRequest) -> float:
    return request.begun
