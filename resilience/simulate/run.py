"""One run: clients send requests at their own pace whatever becomes of them, and everything is counted.

A request is *good* when its answer comes within `soon` of its beginning: what comes later is of no use
to whoever waits for it. All randomness comes from the seed, and no real time passes.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from dataclasses import dataclass
from random import Random
from typing import Literal

from .clients import Call, Client
from .loop import VirtualClock, run_virtual
from .service import Service, Trouble

__all__ = ["Outcome", "Scenario", "simulate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens. Times are seconds on the run's own clock, which begins at 0.

    Attributes:
        clients: how many there are.
        rate: requests a second of each, at random instants (Poisson).
        capacity: requests a second that the service can serve.
        latency: how long an answer takes.
        patience: the clients' own timeout of one attempt.
        overload: whether the service refuses what it cannot serve soon, or lets it wait.
        troubles: when and how it fails.
        lasts: when the run ends.
        soon: how quick an answer must be to be good.
        settled: ends the run early, once all was well for so long after the last trouble; None never does.
    """

    clients: int = 200
    rate: float = 10.0
    capacity: float = 3000.0
    latency: float = 0.05
    patience: float = 1.0
    overload: Literal["shed", "queue"] = "shed"
    troubles: tuple[Trouble, ...] = ()
    lasts: float = 60.0
    soon: float = 2.0
    settled: float | None = None


@dataclass(slots=True)
class Request:
    """One request: when it began, when it ended (None: not yet) and whether it got an answer."""

    begun: float
    ended: float | None = None
    answered: bool = False


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


def simulate(scenario: Scenario, client: Client, *, seed: int = 0) -> Outcome:
    """Run a scenario with clients of one kind; the same seed gives the same outcome."""
    return run_virtual(_run(scenario, client, Random(seed)))


async def _run(scenario: Scenario, client: Client, random: Random) -> Outcome:
    loop, outcome = asyncio.get_running_loop(), Outcome(scenario)
    service = Service(
        capacity=scenario.capacity,
        latency=scenario.latency,
        patience=scenario.patience,
        overload=scenario.overload,
        troubles=scenario.troubles,
        random=Random(random.random()),
    )
    outcome.attempts = service.attempts
    clock = VirtualClock(loop)
    calls = [client(service.send, clock, Random(random.random())) for _ in range(scenario.clients)]
    arrivals = loop.create_task(_arrivals(calls, scenario.rate, outcome, random))
    await _until_over(scenario, outcome)
    arrivals.cancel()  # what is still under way is cancelled with the loop
    return outcome


async def _arrivals(calls: list[Call], rate: float, outcome: Outcome, random: Random) -> None:
    """Begin requests for ever: each client's come at random instants, which all together do too."""
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    while True:
        await asyncio.sleep(random.expovariate(rate * len(calls)))
        task = loop.create_task(_request(outcome, calls[int(random.random() * len(calls))]))
        tasks.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(tasks.discard)


async def _request(outcome: Outcome, call: Call) -> None:
    time = asyncio.get_running_loop().time
    one = Request(time())
    outcome.requests.append(one)
    try:
        await call()
        one.answered = True
    except Exception:
        pass  # counted as not answered
    one.ended = time()


async def _until_over(scenario: Scenario, outcome: Outcome) -> None:
    """Wait for the end, or for the time after which everything has gone well long enough."""
    last = max((one.end for one in scenario.troubles), default=0.0)
    if scenario.settled is None:
        await asyncio.sleep(scenario.lasts)
        return
    await asyncio.sleep(last)
    time = asyncio.get_running_loop().time
    while time() < scenario.lasts:
        await asyncio.sleep(1.0)
        seen = time() - scenario.soon
        start = seen - scenario.settled
        if start >= last and all(outcome.good(start + n, start + n + 1) >= 0.97 for n in range(int(scenario.settled))):
            return
