"""Runs a scenario: clients send requests at their own rate, whatever the answers are, and every request is recorded.

All randomness comes from the seed. `run_scenario` runs on any loop; on a virtual one no real time passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from math import log
from random import Random
from typing import Any

from .clients import Call, Client
from .incidents import Surge
from .light_task import LightTask
from .old_names import renamed_keyword
from .outcome import Outcome, SimulatedRequest
from .scenario import Scenario
from .service import Service
from .virtual_loop import VirtualClock, run_virtual

__all__ = ["TransportFactory", "run_scenario", "service_of", "simulate"]

TransportFactory = Callable[[int], Call]
"""Returns the transport of the client with this number."""


@renamed_keyword("simulate", "each", "on_sample")
def simulate(
    scenario: Scenario, client: Client, *, seed: int = 0, on_sample: Callable[[float], None] | None = None
) -> Outcome:
    """Run a scenario with clients of one kind. The same seed gives the same outcome.

    Args:
        scenario: the clients, the service, and what goes wrong.
        client: wraps the transport of each client.
        seed: of all randomness.
        on_sample: called every half second of the run with its time.
    """
    return run_virtual(_simulate(scenario, client, Random(seed), on_sample))


async def _simulate(
    scenario: Scenario, client: Client, random: Random, on_sample: Callable[[float], None] | None
) -> Outcome:
    service = service_of(scenario, Random(random.random()))
    # The client's number matters only for a rate limit per client; without it one bound method serves all.
    transport = partial(partial, service.send) if scenario.limit is not None else lambda _: service.send
    clock = VirtualClock(asyncio.get_running_loop())
    return await run_scenario(scenario, client, transport, service.attempts, clock, random, on_sample)


def service_of(scenario: Scenario, random: Random) -> Service:
    """Return the service of a scenario, idle."""
    return Service(
        capacity=scenario.capacity,
        latency=scenario.latency,
        patience=scenario.patience,
        overload=scenario.overload,
        longest_queue=scenario.longest_queue,
        incidents=scenario.incidents,
        limit=scenario.limit,
        errors=scenario.errors,
        random=random,
    )


async def run_scenario(
    scenario: Scenario,
    client: Client,
    transport: TransportFactory,
    attempts: list[float],
    clock: Any,
    random: Random,
    on_sample: Callable[[float], None] | None = None,
) -> Outcome:
    """Run the clients on the running loop, virtual or real.

    Args:
        scenario: the clients and their requests.
        client: wraps the transport of each client.
        transport: returns each client's transport.
        attempts: the list in which the service notes the time of each attempt.
        clock: the clients' clock.
        random: source of all randomness.
        on_sample: called every half second with the loop's time.
    """
    loop, outcome = asyncio.get_running_loop(), Outcome(scenario)
    outcome.attempts = attempts
    calls = [client(transport(number), clock, Random(random.random())) for number in range(scenario.clients)]
    arrivals = _Arrivals(calls, outcome, random)
    tasks = []
    if on_sample is not None:
        tasks.append(loop.create_task(_sample(on_sample)))
    try:
        await _wait_for_end(scenario, outcome)
    finally:
        for task in tasks:
            task.cancel()
        await arrivals.stop()
    return outcome


async def _sample(on_sample: Callable[[float], None], step: float = 0.5) -> None:
    time = asyncio.get_running_loop().time
    due = time()
    while True:
        on_sample(time())
        due += step
        await asyncio.sleep(due - time())


_Task = asyncio.Task[None] | LightTask


class _Arrivals:
    """Begins requests on the running loop until it is stopped.

    The arrivals of each client are a Poisson process. Their sum is one too, at the sum of the rates, so that the
    arrivals of all clients are drawn together: the gap is exponential, the client uniform. Each arrival is a callback
    of the loop, which costs a third of a task that sleeps from one to the next.
    """

    def __init__(self, calls: list[Call], outcome: Outcome, random: Random) -> None:
        self._calls, self._requests = calls, outcome.requests
        self._rate, self._surges = outcome.scenario.rate * len(calls), outcome.scenario.surges
        self._uniform = random.random
        # The loop keeps only weak references to tasks, so that the dict keeps those under way alive.
        self._tasks = dict[float, _Task]()
        self._loop = asyncio.get_running_loop()
        self._start: Any = getattr(self._loop, "start", self._loop.create_task)
        self._due = self._loop.time()
        self._timer = self._wait()

    async def stop(self) -> None:
        """Begin no more requests and cancel those under way."""
        self._timer.cancel()
        for task in tuple(self._tasks.values()):
            task.cancel()
        for _ in range(1000):  # a client that takes longer to end is left to the end of the loop
            if not self._tasks:
                break
            await asyncio.sleep(0.001)

    def _wait(self) -> asyncio.TimerHandle:
        rate = self._rate * _factor(self._surges, self._due) if self._surges else self._rate
        # As `Random.expovariate`. Towards the planned instant: a loop that is late catches up.
        self._due -= log(1.0 - self._uniform()) / rate
        return self._loop.call_at(self._due, self._arrive)

    def _arrive(self) -> None:
        loop, due = self._loop, self._due
        request = SimulatedRequest(loop.time())
        self._requests.append(request)
        call = self._calls[int(self._uniform() * len(self._calls))]
        task = self._start(_make_request(request, call, loop.time, self._tasks, due))
        if not task.done():
            self._tasks[due] = task
        self._timer = self._wait()


def _factor(surges: tuple[Surge, ...], now: float) -> float:
    for surge in surges:
        if surge.start <= now < surge.end:
            return surge.factor
    return 1.0


async def _make_request(
    request: SimulatedRequest, call: Call, time: Callable[[], float], tasks: dict[float, _Task], key: float
) -> None:
    try:
        # A model client returns 200 for a good answer; a body, or the value of a fallback, is something else.
        request.answered = await call() == 200
        request.deceived = not request.answered
        request.ended = time()
    except Exception:
        request.ended = time()  # counts as not answered
    finally:
        tasks.pop(key, None)


async def _wait_for_end(scenario: Scenario, outcome: Outcome) -> None:
    """Wait until the run ends, or until all was well for the time that `settled` sets."""
    last = max((incident.end for incident in scenario.incidents), default=0.0)
    if scenario.settled is None:
        await asyncio.sleep(scenario.lasts)
        return
    await asyncio.sleep(last)
    time = asyncio.get_running_loop().time
    while time() < scenario.lasts:
        await asyncio.sleep(1.0)
        complete = time() - scenario.soon  # requests up to here have had their full time
        start = complete - scenario.settled
        seconds = range(int(scenario.settled))
        # 97 %, not 100 %: a service near its capacity sheds a few requests at any time.
        if start >= last and all(_was_good(outcome, start + n) for n in seconds):
            return


def _was_good(outcome: Outcome, second: float) -> bool:
    # In a second without a request nothing failed.
    return not outcome.begun(second, second + 1) or outcome.good(second, second + 1) >= 0.97
