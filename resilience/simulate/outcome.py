"""What became of the requests of a run, one by one, and the questions that are asked of them.

A request is *good* when its answer comes within `soon` of its beginning: what comes later is of no use
to whoever waits for it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from .scenario import Scenario

__all__ = ["Outcome", "Request"]


@dataclass(slots=True)
class Request:
    """One request.

    Attributes:
        begun: when it began.
        ended: when it ended; None: not yet.
        answered: whether it got what it asked for.
        deceived: whether its caller got an error, or a fallback, and no exception.
    """

    begun: float
    ended: float | None = None
    answered: bool = False
    deceived: bool = False


class Outcome:
    """What became of all requests."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.requests: list[Request] = []
        """In the order in which they began."""
        self.attempts: list[float] = []
        """When each attempt reached the service."""

    def begun(self, start: float, end: float) -> list[Request]:
        """Return the requests that began between two instants."""
        low = bisect_left(self.requests, start, key=_begun)
        return self.requests[low : bisect_left(self.requests, end, key=_begun)]

    def attempts_a_request(self, start: float, end: float) -> float:
        """Return how many attempts reached the service between two instants, for each request begun then."""
        sent = bisect_left(self.attempts, end) - bisect_left(self.attempts, start)
        return sent / max(1, len(self.begun(start, end)))

    def seconds_to_fail(self, start: float, end: float) -> float:
        """Return the mean time after which the failed requests of a time had failed; NaN when none did."""
        took = [one.ended - one.begun for one in self.begun(start, end) if one.ended is not None and not one.answered]
        return sum(took) / len(took) if took else float("nan")

    def success(self, start: float, end: float) -> float:
        """Return the share of a time's requests that were answered, of those that have ended."""
        over = [one.answered for one in self.begun(start, end) if one.ended is not None]
        return sum(over) / max(1, len(over))

    def good(self, start: float, end: float) -> float:
        """Return the share of a time's requests that got a good answer."""
        return _share(self.begun(start, end), self.scenario.soon)

    def recovery(self, since: float, share: float = 0.95, step: float = 0.5, held: float = 5.0) -> float | None:
        """Return the seconds from `since` until this share of the requests is good, and stays so to the run's end.

        None: not within the run, or so late that it was not seen to hold for `held` seconds.
        """
        over = self.requests[-1].begun - self.scenario.soon if self.requests else since
        steps = int((over - since) / step)
        bad = [n for n in range(steps) if self.good(since + n * step, since + (n + 1) * step) < share]
        after = (bad[-1] + 1) * step if bad else 0.0
        return after if since + after + held <= over + step else None


def _begun(one: Request) -> float:
    return one.begun


def _share(requests: list[Request], soon: float) -> float:
    good = sum(one.answered and one.ended is not None and one.ended - one.begun <= soon for one in requests)
    return good / max(1, len(requests))
