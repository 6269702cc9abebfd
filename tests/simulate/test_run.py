"""A run of a scenario: its figures belong to its seed, and its end leaves nothing under way."""

from __future__ import annotations

import asyncio
from typing import Any

from resilience import Policy
from resilience.simulate import Incident, Job, Limit, Scenario, run_job, simulate

SCENARIO = Scenario(
    clients=3,
    rate=4.0,
    capacity=60.0,
    incidents=(Incident(start=4, end=8), Incident(start=10, end=12, kind="error", share=0.5)),
    limit=Limit(rate=9, retry_after=0.5),
    lasts=16.0,
)
POLICY = Policy(
    deadline="5s",
    attempt_timeout="800ms",
    retry={"max_attempts": 3},
    budget={"ratio": "20%", "floor": "1/s"},
    breaker={"failure_rate": "60%", "min_calls": 5, "open_for": "1s"},
)


FIGURES = [(224, 249, 2, 6, 0.637306, 0.55), (224, 224, 0, 0, 0.637306, 0.082827)]
"""Requests, attempts, breakers opened, calls rejected, success and p99: under the policy, and without one."""


def test_the_figures_of_a_seed_stay_the_same() -> None:
    """A change of how a run is carried out changes no figure: what was reported of a policy can be repeated."""
    policy, alone = (run_job(Job("x", one, SCENARIO, seed=7)).figures for one in (POLICY, None))
    assert [
        (one.offered, one.attempts, one.opened, one.rejected, round(one.success, 6), round(one.p99 or 0, 6))
        for one in (policy, alone)
    ] == FIGURES


def test_requests_under_way_are_cancelled_at_the_end() -> None:
    """A request that still waits when the run ends is cancelled once, and has no end."""
    cancelled: list[float] = []

    def client(_send: Any, clock: Any, _random: Any) -> Any:
        async def call() -> int:
            try:
                await clock.asleep(5)
            except asyncio.CancelledError:
                cancelled.append(clock.monotonic())
                raise
            return 200

        return call

    outcome = simulate(Scenario(clients=2, rate=3, lasts=12), client, seed=1)
    open_requests = [one for one in outcome.requests if one.ended is None]
    assert cancelled == [12.0] * len(open_requests)
    assert {one.begun > 7.0 for one in open_requests} == {True}
    assert all(one.answered == (one.ended is not None) for one in outcome.requests)
