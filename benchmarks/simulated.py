"""Compares the simulation with reality: the same scenarios on virtual time, and in real time over HTTP on loopback.

    python -m benchmarks.simulated [--seeds N] [--only NAME] [--write]

The scenarios are scaled down and use the built-in policies. The same clients under the same pipeline run once with the
modelled transport on virtual time, and once over HTTP against a real server that follows the same rules. The real runs
take two minutes. Random draws differ between any two runs, so the simulation also runs with other seeds, and the table
shows the range of each figure.
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

from .real_service import run_in_real_time
from .rounds import report, table

COMMON: dict[str, Any] = {"clients": 16, "rate": 5.0, "capacity": 240.0, "latency": 0.2, "patience": 1.0}
SCENARIOS: dict[str, tuple[str, Scenario]] = {
    "outage": ("default", Scenario(**COMMON, incidents=(Incident(start=8, end=23),), lasts=33)),
    "brownout": (
        "default",
        Scenario(**COMMON, incidents=(Incident(start=5, end=25, share=0.5, kind="error"),), lasts=30),
    ),
    "rate-limit squeeze": (
        "default",
        Scenario(
            **COMMON,
            limit=Limit(rate=8, retry_after=1),
            incidents=(Incident(start=5, end=25, kind="squeeze", limit=3),),
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
    ("attempts per request", lambda run: run.attempts_per_request),
    ("… in the trouble", lambda run: None if run.incident is None else run.incident["attempts_per_request"]),
    ("succeeded, %", lambda run: 100 * run.success),
    ("… in the trouble, %", lambda run: None if run.incident is None else 100 * run.incident["success"] or None),
    ("good, %", lambda run: 100 * run.good),
    ("50 % answered within, ms", lambda run: None if run.p50 is None else 1000 * run.p50),
    ("95 % answered within, ms", lambda run: None if run.p95 is None else 1000 * run.p95),
    ("a failure takes, ms", lambda run: None if run.to_fail is None else 1000 * run.to_fail),
    ("recovered after, s", lambda run: run.recovery if run.recovers else None),
    ("breaker opened", lambda run: run.opened or None),
    ("budget exhausted", lambda run: run.exhausted or None),
    ("rejected", lambda run: run.rejected or None),
)
MAX_LATENESS, MAX_RUNS = 0.0025, 3  # seconds by which the loop may be late on average


def watched_client(policy: str) -> tuple[Client, RunMonitor]:
    monitor = RunMonitor()
    return policy_client(Policies.builtin().pipeline(policy).policy, monitor=monitor), monitor


def simulate_figures(policy: str, scenario: Scenario, seed: int) -> Figures:
    client, monitor = watched_client(policy)
    return compute_figures(simulate(scenario, client, seed=seed, on_sample=monitor.sample), monitor)


def rows(virtual: list[Figures], real: Figures) -> Iterator[tuple[str, list[float], float]]:
    """Yield the name of each figure, its simulated values by seed, and its real value."""
    for name, figure in ROWS:
        values = [value for value in map(figure, virtual) if value is not None]
        real_value = figure(real)
        if values and real_value is not None:
            yield name, values, real_value


def run_real(policy: str, scenario: Scenario) -> tuple[Figures, list[float]]:
    """Run a scenario in real time, and again if the machine was too busy; return the run with the least lateness.

    Returns:
        its figures, and the seconds by which its loop was late, sorted.
    """
    # The lateness is the machine's, not the policy's, so a run on a busy machine is repeated.
    runs: list[tuple[float, Figures, list[float]]] = []
    while len(runs) < MAX_RUNS and not any(late <= MAX_LATENESS for late, *_ in runs):
        client, monitor = watched_client(policy)
        outcome, late = run_in_real_time(scenario, client, seed=1, each=monitor.sample)
        runs.append((statistics.fmean(late), compute_figures(outcome, monitor), sorted(late)))
    _, best, late = min(runs, key=lambda run: run[0])
    return best, late


def comparison(name: str, seeds: int) -> str:
    policy, scenario = SCENARIOS[name]
    virtual = [simulate_figures(policy, scenario, seed) for seed in range(1, seeds + 1)]
    print(f"{name}: simulated; the real run takes {scenario.lasts:g} s", file=sys.stderr, flush=True)
    real, late = run_real(policy, scenario)
    header = ("what", "virtual", "real", "difference", "within 10 %", "all seeds")
    title = f"## {name.capitalize()}, {scenario.lasts:g} s, policy `{policy}`"
    return f"{title}\n\n{table(header, [cells(*row) for row in rows(virtual, real)])}\n\n{_lateness(late)}"


def cells(name: str, values: list[float], real: float) -> tuple[str, ...]:
    virtual = values[0]
    difference = real / virtual - 1 if virtual else 0.0 if not real else inf
    inside = min(values) <= real <= max(values)
    verdict = "yes" if abs(difference) <= 0.1 else "as seeds differ" if inside else "**no**"
    return (
        name,
        _format(virtual),
        _format(real),
        f"{difference:+.1%}",
        verdict,
        f"{_format(min(values))} to {_format(max(values))}",
    )


def _lateness(late: list[float]) -> str:
    return (
        f"The real loop was late by {1000 * statistics.fmean(late):.1f} ms on average, by up to "
        f"{1000 * late[int(0.95 * len(late))]:.0f} ms in 95 % of its iterations, and {1000 * late[-1]:.0f} ms at worst."
    )


def _format(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _explanation(seeds: int) -> str:
    return f"""\
{COMMON["clients"]} clients make {COMMON["rate"]:g} requests per second each; an answer takes
{1000 * COMMON["latency"]:g} ms; the clients' own timeout is {COMMON["patience"]:g} s. *Real* is one run in real time
over HTTP against a server on loopback that follows the same rules. *Virtual* is the simulation with the same seed, that
is with the same requests at the same instants. *All seeds* is the range of {seeds} simulations, since random draws
differ between any two runs. The modelled transport takes no time; a real one takes about a millisecond per request, and
more on a busy machine: the lateness of the real run's loop is shown below each table. A real run whose loop was late by
more than {1000 * MAX_LATENESS:g} ms on average is repeated, up to {MAX_RUNS} runs, and the one with the least lateness
counts. If a difference is more than 10 %, *as seeds differ* says that the real figure is in the range of the seeds."""


def _speed() -> str:
    """Time the shipped scenario `outage`: 200 clients, 10 requests per second each, a service that is down for 60 s."""
    scenario, policy = load_scenario("outage"), Policies.builtin().policy("default")
    busy, began = time.process_time(), time.monotonic()
    run = run_job(Job("default", policy, scenario, 1))
    busy, duration = time.process_time() - busy, time.monotonic() - began
    return (
        "## Duration of a simulation\n\n"
        f"`resilience simulate --scenario outage`: {run.figures.offered:,} requests of {scenario.clients} clients in "
        f"{scenario.lasts:g} s, with the service down for 60 s and the real pipeline: "
        f"{busy:.1f} s of processor time, {duration:.1f} s by the clock, at a load of {load():.1f} on "
        f"{os.cpu_count()} processors. Target: under 30 s."
    )


def load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12, help="simulated runs of each scenario (12)")
    parser.add_argument("--only", default="", help="only scenarios whose name contains this text")
    parser.add_argument("--write", action="store_true", help="also write the tables to benchmarks/results/")
    options = parser.parse_args()
    parts = [_explanation(options.seeds)]
    for name in SCENARIOS:
        if options.only in name:
            parts.append(comparison(name, options.seeds))
            print(parts[-1], file=sys.stderr, flush=True)
    if not options.only:
        parts.append(_speed())
    report("simulated", "The simulation against the real thing", *parts, write=options.write)


if __name__ == "__main__":
    main()
