"""Measures how many requests `resilience simulate` simulates per second of processor time.

    python -m benchmarks.simulate_speed [--rounds N] [--write]

The shipped scenario `outage` at a tenth of its size, under the policy `default` and without a policy, in turns. The
figures depend on the machine: compare two commits in one run of each, or the two rows with each other.
"""

from __future__ import annotations

import time

from resilience.cli.simulation_jobs import baseline_job, simulation_jobs
from resilience.simulate.policy_comparison import run_job
from resilience.simulate.scenario_files import read_scenario

from .rounds import Times, parse_options, report, table

SCALE = 0.1


def main() -> None:
    """Measure and print the table."""
    options = parse_options(__doc__ or "", rounds=5)
    scenario = read_scenario("outage")[0].scaled(SCALE)
    jobs = {"policy default": simulation_jobs((), (), scenario, 1)[0], "no policy": baseline_job(scenario, 1)}
    times, offered = {name: Times() for name in jobs}, 0
    for number in range(options.rounds + 1):
        for name, job in jobs.items():
            before = time.thread_time_ns()
            offered = run_job(job).figures.offered
            if number:  # the first round loads what later ones have
                times[name].rounds.append((time.thread_time_ns() - before) / offered)
    rows = [(name, f"{one.median / 1000:.0f}", f"{1e9 / one.median:,.0f}") for name, one in times.items()]
    report(
        "simulate_speed",
        "Simulated requests",
        f"{offered} requests per run, {options.rounds} interleaved rounds; medians.",
        table(("", "µs a request", "requests per second of CPU"), rows),
        write=options.write,
    )


if __name__ == "__main__":
    main()
