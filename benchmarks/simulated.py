"""Does the simulation tell the truth? The same scenarios on virtual time, and for real over HTTP on loopback.

    python -m benchmarks.simulated [--seeds N] [--only NAME] [--write]

Scaled-down scenarios under the built-in policies: the same clients under the same pipeline, once with the modelled
transport on virtual time, and once over HTTP against a real server that follows the same rules. The real
runs take two minutes. What is drawn by chance differs between two runs however alike they are, so the simulation is
also run with other seeds, and beside each figure stands how far they lie apart.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from math import inf
from typing import Any

from resilience import Policies
from resilience.simulate import (
    Client,
    Errors,
    Incident,
    Job,
    Limit,
    RunMonitor,
    Scenario,
    load_scenario,
    policy_client,
    run_job,
    simulate,
)
from resilience.simulate.figures import Figures, compute_figures

from .real_service import really
from .rounds import report, table

COMMON: dict[str, Any] = {"clients": 16, "rate": 5.0, "capacity": 240.0, "latency": 0.2, "patience": 1.0}
SCENARIOS: dict[str, tuple[str, Scenario]] = {
    "outage": ("default", Scenario(**COMMON, troubles=(Incident(start=8, end=23),), lasts=33)),
    "brownout": (
        "default",
        Scenario(**COMMON, troubles=(Incident(start=5, end=25, share=0.5, kind="error"),), lasts=30),
    ),
    "rate-limit squeeze": (
        "default",
        Scenario(
            **COMMON,
            limit=Limit(rate=8, retry_after=1),
            troubles=(Incident(start=5, end=25, kind="squeeze", limit=3),),
            lasts=32,
        ),
    ),
    "error mix": (
        "bitget",
        Scenario(
            **COMMON, errors=Errors(registry="bitget", codes={"40725": 0.1, "429": 0.05, "43012": 0.05}), lasts=25
        ),
    ),
}
Row = tuple[str, Callable[[Figures], float | None]]
ROWS: tuple[Row, ...] = (
    ("attempts a request", lambda one: one.attempts_a_request),
    ("… in the trouble", lambda one: None if one.trouble is None else one.trouble["attempts_a_request"]),
    ("succeeded, %", lambda one: 100 * one.success),
    ("… in the trouble, %", lambda one: None if one.trouble is None else 100 * one.trouble["success"] or None),
    ("good, %", lambda one: 100 * one.good),
    ("half answered within, ms", lambda one: None if one.p50 is None else 1000 * one.p50),
    ("95 % within, ms", lambda one: None if one.p95 is None else 1000 * one.p95),
    ("a failure is told after, ms", lambda one: None if one.to_fail is None else 1000 * one.to_fail),
    ("well again after, s", lambda one: one.recovery if one.recovers else None),
    ("breaker opened", lambda one: one.opened or None),
    ("budget exhausted", lambda one: one.exhausted or None),
    ("refused", lambda one: one.refused or None),
)
LATE, TRIES = 0.0025, 3  # seconds by which the loop may be late on average


def watched(policy: str) -> tuple[Client, RunMonitor]:
    monitor = RunMonitor()
    return policy_client(Policies.builtin().pipeline(policy).policy, monitor=monitor), monitor


def simulated(policy: str, scenario: Scenario, seed: int) -> Figures:
    client, monitor = watched(policy)
    return compute_figures(simulate(scenario, client, seed=seed, on_sample=monitor.sample), monitor)


def rows(virtual: list[Figures], real: Figures) -> Iterator[tuple[str, list[float], float]]:
    """Give what, the simulation's figures by seed, and the real one."""
    for what, tell in ROWS:
        told = [value for value in map(tell, virtual) if value is not None]
        seen = tell(real)
        if told and seen is not None:
            yield what, told, seen


def on_time(policy: str, scenario: Scenario) -> tuple[Figures, list[float]]:
    """Run it for real, and again where the machine was too busy to be told from the policy; the least late counts.

    Returns its figures, and by how many seconds its loop was late, sorted.
    """
    tried: list[tuple[float, Figures, list[float]]] = []
    while len(tried) < TRIES and not any(late <= LATE for late, *_ in tried):
        client, monitor = watched(policy)
        outcome, late = really(scenario, client, seed=1, each=monitor.sample)
        tried.append((statistics.fmean(late), compute_figures(outcome, monitor), sorted(late)))
    _, best, late = min(tried, key=lambda one: one[0])
    return best, late


def compared(name: str, seeds: int) -> str:
    policy, scenario = SCENARIOS[name]
    virtual = [simulated(policy, scenario, seed) for seed in range(1, seeds + 1)]
    print(f"{name}: simulated; the real run takes {scenario.lasts:g} s", file=sys.stderr, flush=True)
    real, late = on_time(policy, scenario)
    header = ("what", "virtual", "real", "difference", "within 10 %", "all seeds")
    title = f"## {name.capitalize()}, {scenario.lasts:g} s, policy `{policy}`"
    return f"{title}\n\n{table(header, [cells(*row) for row in rows(virtual, real)])}\n\n{_late(late)}"


def cells(what: str, told: list[float], real: float) -> tuple[str, ...]:
    same = told[0]
    off = real / same - 1 if same else 0.0 if not real else inf
    inside = min(told) <= real <= max(told)
    kept = "yes" if abs(off) <= 0.1 else "as seeds differ" if inside else "**no**"
    return what, _say(same), _say(real), f"{off:+.1%}", kept, f"{_say(min(told))} to {_say(max(told))}"


def _late(late: list[float]) -> str:
    return (
        f"The real loop was late by {1000 * statistics.fmean(late):.1f} ms on average, by up to "
        f"{1000 * late[int(0.95 * len(late))]:.0f} ms in 95 % of its turns, and {1000 * late[-1]:.0f} ms at worst."
    )


def _say(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _told(seeds: int) -> str:
    return f"""\
{COMMON["clients"]} clients of {COMMON["rate"]:g} requests a second, {1000 * COMMON["latency"]:g} ms an answer, the
clients' own timeout {COMMON["patience"]:g} s. *Real* is one run in real time over HTTP against a server on loopback
that follows the same rules; *virtual* is the simulation with the same seed, which means the same requests at the same
instants; *all seeds* are the least and the most of {seeds} simulations, since what is drawn by chance differs
between two runs however alike they are. The modelled transport costs no time; a real one costs about a millisecond a
request, and more where the machine is busy: how late the loop of the real run was stands below each table. A real run
whose loop was late by more than {1000 * LATE:g} ms on average is made again, {TRIES} times in all, and the least late
counts. Where a difference is more than 10 %, *as seeds differ* says that the real figure lies among those of the
seeds."""


def _speed() -> str:
    """Time the shipped outage: 200 clients of 10 requests a second, down for a minute."""
    scenario, policy = load_scenario("outage"), Policies.builtin().policy("default")
    busy, began = time.process_time(), time.monotonic()
    run = run_job(Job("default", policy, scenario, 1))
    busy, took = time.process_time() - busy, time.monotonic() - began
    return (
        "## How long a simulation takes\n\n"
        f"`resilience simulate --scenario outage`: {run.figures.offered:,} requests of {scenario.clients} clients in "
        f"{scenario.lasts:g} s, of which the service is down for 60, with the real pipeline and everything counted: "
        f"{busy:.1f} s of one processor, {took:.1f} s by the clock, while {load():.1f} programs wanted the "
        f"{os.cpu_count()} processors. Asked: under 30 s."
    )


def load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12, help="simulated runs of each scenario")
    parser.add_argument("--only", default="", help="scenarios whose name holds this text")
    parser.add_argument("--write", action="store_true", help="also write the tables to benchmarks/results/")
    given = parser.parse_args()
    parts = [_told(given.seeds)]
    for name in SCENARIOS:
        if given.only in name:
            parts.append(compared(name, given.seeds))
            print(parts[-1], file=sys.stderr, flush=True)
    if not given.only:
        parts.append(_speed())
    report("simulated", "The simulation against the real thing", *parts, write=given.write)


if __name__ == "__main__":
    main()
