"""One run: clients send requests at their own pace whatever becomes of them, and everything is noted.

All randomness comes from the seed. `run_scenario` runs on any loop: on a virtual one no real time passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from .clients import Call, Client
from .incidents import Surge
from .outcome import Outcome, Request
from .scenario import Scenario
from .service import Service
from .virtual_loop import VirtualClock, run_virtual

__all__ = ["Transport", "run_scenario", "service_of", "simulate"]

Transport = Callable[[int], Call]
"""Gives the client of a number its way to the service."""


def simulate(
    scenario: Scenario, client: Client, *, seed: int = 0, each: Callable[[float], None] | None = None
) -> Outcome:
    """Run a scenario with clients of one kind; the same seed gives the same outcome.

    Args:
        scenario: what happens.
        client: who calls.
        seed: of everything that is drawn.
        each: called each half second of the run, with its time.
    """
    return run_virtual(_simulated(scenario, client, Random(seed), each))


async def _simulated(
    scenario: Scenario, client: Client, random: Random, each: Callable[[float], None] | None
) -> Outcome:
    service = service_of(scenario, Random(random.random()))
    to = partial(partial, service.send) if scenario.limit is not None else lambda _: service.send
    clock = VirtualClock(asyncio.get_running_loop())
    return await run_scenario(scenario, client, to, service.attempts, clock, random, each)


def service_of(scenario: Scenario, random: Random) -> Service:
    """Return the service of a scenario, idle."""
    return Service(
        capacity=scenario.capacity,
        latency=scenario.latency,
        patience=scenario.patience,
        overload=scenario.overload,
        longest_queue=scenario.longest_queue,
        troubles=scenario.troubles,
        limit=scenario.limit,
        errors=scenario.errors,
        random=random,
    )


async def run_scenario(
    scenario: Scenario,
    client: Client,
    to: Transport,
    attempts: list[float],
    clock: Any,
    random: Random,
    each: Callable[[float], None] | None = None,
) -> Outcome:
    """Run the clients on the loop that runs this, virtual or real.

    Args:
        scenario: what happens.
        client: who calls.
        to: each client's way to the service.
        attempts: where the service notes each attempt.
        clock: the clients' clock.
        random: draws all that is drawn.
        each: called each half second, with the loop's time.
    """
    loop, outcome = asyncio.get_running_loop(), Outcome(scenario)
    outcome.attempts = attempts
    calls = [client(to(number), clock, Random(random.random())) for number in range(scenario.clients)]
    tasks = [loop.create_task(_arrivals(calls, outcome, random, clock.asleep))]
    if each is not None:
        tasks.append(loop.create_task(_ticks(each)))
    await _until_over(scenario, outcome)
    for task in tasks:
        task.cancel()  # what is still under way is cancelled with the loop
    return outcome


async def _ticks(each: Callable[[float], None], step: float = 0.5) -> None:
    time = asyncio.get_running_loop().time
    at = time()
    while True:
        each(time())
        at += step
        await asyncio.sleep(at - time())


async def _arrivals(calls: list[Call], outcome: Outcome, random: Random, asleep: Callable[[float], Any]) -> None:
    """Begin requests for ever: each client's come at random instants, which all together do too."""
    loop, tasks = asyncio.get_running_loop(), dict[float, asyncio.Task[None]]()
    rate, surges, number = outcome.scenario.rate * len(calls), outcome.scenario.surges, len(calls)
    at, draw, uniform, time = loop.time(), random.expovariate, random.random, loop.time
    while True:
        at += draw(rate * _factor(surges, at) if surges else rate)
        await asleep(at - time())  # by the plan: a loop that is late catches up
        one = Request(time())
        outcome.requests.append(one)
        call = calls[int(uniform() * number)]
        tasks[at] = asyncio.Task(_request(one, call, time, tasks, at), loop=loop)  # the loop itself keeps none alive


def _factor(surges: tuple[Surge, ...], at: float) -> float:
    for one in surges:
        if one.start <= at < one.end:
            return one.factor
    return 1.0


async def _request(
    one: Request, call: Call, time: Callable[[], float], tasks: dict[float, asyncio.Task[None]], at: float
) -> None:
    try:
        one.answered = await call() == 200
        one.deceived = not one.answered
    except Exception:
        pass  # counted as not answered
    one.ended = time()
    tasks.pop(at, None)


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
