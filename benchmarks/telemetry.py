"""Measures what metrics and traces cost a call that succeeds, and what an exporter pays for each call.

    python -m benchmarks.telemetry [--rounds N] [--write] [--before CHECKOUT]

`--before` compares a call that nobody watches with the same call in another checkout, such as one of an earlier commit:
both run in processes of their own that take turns, and the ratio is that of their minima.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resilience import Policies

from .ours import AMPLE, EVERYTHING
from .rounds import Times, async_rounds, at_most, report, sync_rounds, table, target_table

POLICY: dict[str, Any] = {"policies": {"p": {**EVERYTHING, "quota": AMPLE}}}
ALONE, WATCHED, MEASURED = "nobody watches", "Prometheus", "OpenTelemetry, metrics alone"
NOT_SAMPLED, TRACED = "OpenTelemetry, no call sampled", "OpenTelemetry, every call sampled"
CHILD = """
import json, sys
from resilience import Policies
from benchmarks.rounds import sync_rounds, async_rounds
from benchmarks.ours import EVERYTHING
def nothing(): return 1
async def nothing_async(): return 1
pipeline, rounds = Policies.from_mapping({"policies": {"p": EVERYTHING}}, log=False).pipeline("p"), int(sys.argv[1])
sync = sync_rounds({"x": pipeline.compile(nothing)}, rounds=rounds)
times = sync, async_rounds({"x": pipeline.compile(nothing_async)}, rounds=rounds)
print(json.dumps([row["x"].minimum for row in times]))
"""


def nothing() -> int:
    return 1


async def nothing_async() -> int:
    return 1


def compiled(fn: Callable[..., Any], attach: Callable[[Policies], Any] | None = None) -> Callable[..., Any]:
    """Return `fn` under a policy with everything on, which something may watch."""
    policies = Policies.from_mapping(POLICY, log=False)
    if attach is not None:
        policies.watcher = attach(policies)  # type: ignore[attr-defined]  # kept for as long as the policies
    call: Callable[..., Any] = policies.pipeline("p").compile(fn)
    return call


def prometheus(policies: Policies) -> Any:
    from resilience.telemetry.prometheus import collector

    return collector(policies)


def opentelemetry(ratio: float | None) -> Callable[[Policies], Any]:
    """Return what exports metrics, and traces this share of the calls; None does not trace."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
    from opentelemetry.trace import NoOpTracerProvider

    from resilience.telemetry.opentelemetry import instrument

    def attach(policies: Policies) -> Any:
        reader = InMemoryMetricReader()
        spans: Any = NoOpTracerProvider() if ratio is None else TracerProvider(sampler=TraceIdRatioBased(ratio))
        return reader, instrument(policies, spans, MeterProvider([reader]))

    return attach


def rows(fn: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    return {
        ALONE: compiled(fn),
        WATCHED: compiled(fn, prometheus),
        MEASURED: compiled(fn, opentelemetry(None)),
        NOT_SAMPLED: compiled(fn, opentelemetry(0.0)),
        TRACED: compiled(fn, opentelemetry(1.0)),
    }


def cost_of_reading(attach: Callable[[Policies], Any], read: Callable[[Any], Any]) -> float:
    """Return the nanoseconds for each call that a scrape or a collection takes, after 20,000 calls."""
    policies = Policies.from_mapping(POLICY, log=False)
    watcher = attach(policies)
    call, calls = policies.pipeline("p").compile(nothing), 20_000
    read(watcher)
    for _ in range(calls):
        call()
    begin = time.thread_time_ns()
    read(watcher)
    return (time.thread_time_ns() - begin) / calls


def read_prometheus(watcher: Any) -> None:
    for _ in watcher.collect():
        pass


def read_opentelemetry(watcher: Any) -> None:
    watcher[0].get_metrics_data()


def before(checkout: Path, rounds: int) -> list[float]:
    """Return the time of a call here over that in another checkout, sync and async."""
    here = Path(__file__).parent.parent
    best: dict[Path, list[float]] = {}
    for _ in range(5):
        for place in (checkout, here):
            environment = {**os.environ, "PYTHONPATH": str(place)}
            command = [sys.executable, "-c", CHILD, str(rounds)]
            answer = subprocess.run(command, cwd=place, env=environment, check=True, capture_output=True, text=True)
            times = json.loads(answer.stdout)
            best[place] = [min(pair) for pair in zip(times, best.get(place, times), strict=True)]
    return [ours / theirs for ours, theirs in zip(best[here], best[checkout], strict=True)]


def above_alone(times: dict[str, Times]) -> list[tuple[str, str, str, str]]:
    alone = times[ALONE]
    return [
        (name, f"{row.minimum:,.0f}", f"{row.median:,.0f}", f"{row.ratio(alone):.2f}") for name, row in times.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, metavar="N")
    parser.add_argument("--write", action="store_true", help="also write the tables to benchmarks/results/")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    options = parser.parse_args()
    sync, asynchronous = (
        sync_rounds(rows(nothing), rounds=options.rounds),
        async_rounds(rows(nothing_async), rounds=options.rounds),
    )
    targets = [
        at_most("sync, with the histogram / without", 1.3, sync[WATCHED].ratio(sync[ALONE])),
        at_most("async, with the histogram / without", 1.3, asynchronous[WATCHED].ratio(asynchronous[ALONE])),
    ]
    if options.before is not None:
        for kind, ratio in zip(("sync", "async"), before(options.before, options.rounds), strict=True):
            targets.append(at_most(f"{kind}, nobody watches / before there were metrics", 1.05, ratio))
    header = ("", "minimum, ns", "median, ns", "of the call that nobody watches")
    scrape, collection = (
        cost_of_reading(prometheus, read_prometheus),
        cost_of_reading(opentelemetry(None), read_opentelemetry),
    )
    report(
        "telemetry",
        "What metrics and traces cost",
        "A success with everything on: retry, budget, breaker, quota, deadline, attempt limit. Prometheus is a "
        "collector, OpenTelemetry is `instrument` with an SDK that exports metrics alone, or samples no call, or all. "
        f"{options.rounds} interleaved rounds, the collector off.",
        "## Targets and measured figures\n\n" + target_table(targets),
        "## Sync\n\n" + table(header, above_alone(sync)),
        "## Async\n\n" + table(header, above_alone(asynchronous)),
        "## What reading costs\n\n"
        f"A scrape after 20,000 calls of one operation takes {scrape:.0f} ns for each of them, a collection of "
        f"OpenTelemetry {collection:,.0f} ns: it has no histogram that is read, so each duration is "
        "recorded by itself, in the thread of the exporter.",
        write=options.write,
    )


if __name__ == "__main__":
    main()
