"""Measures what metrics and traces cost a call that succeeds, and what an exporter pays for each call.

    python -m benchmarks.telemetry [--rounds N] [--write]

What a call costs while nobody watches is compared with the same driver without the lines that metrics have added.
"""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable
from typing import Any

from resilience import Policies
from resilience._core.call.operation_info import OperationInfo
from resilience._drivers import async_ as async_driver
from resilience._drivers import sync as sync_driver

from .ours import AMPLE, EVERYTHING, without
from .rounds import Times, async_rounds, at_most, parse_options, report, sync_rounds, table, target_table

POLICY: dict[str, Any] = {"policies": {"p": {**EVERYTHING, "quota": AMPLE}}}
ALONE, WATCHED, MEASURED = "nobody watches", "Prometheus", "OpenTelemetry, metrics alone"
NOT_SAMPLED, TRACED = "OpenTelemetry, no call sampled", "OpenTelemetry, every call sampled"
UNCHECKED, CHECKED = "the driver without the question whether calls are measured", "the driver"
_CHECK = re.compile(
    r"^ +durations = counts\.ok_durations\n(?: .*\n)*? +durations\.close_slice\(ended\)\n", re.MULTILINE
)


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
    policies = Policies.from_mapping({"policies": {"p": without("quota")}}, log=False)
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


def drivers(module: Any, name: str, fn: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Return a call that nobody watches, by the driver and by the same driver without what metrics have added."""
    source, count = _CHECK.subn("", inspect.getsource(module))
    assert count == 1, "the lines that measure are others now"
    unchecked: dict[str, Any] = {"__name__": f"{module.__name__}_unchecked", "__package__": module.__package__}
    exec(compile(source, "unchecked", "exec"), unchecked)
    plans = [_plan(fn), _plan(fn)]
    return {UNCHECKED: unchecked[name](plans[0], fn), CHECKED: getattr(module, name)(plans[1], fn)}


def _plan(fn: Callable[..., Any]) -> Any:
    pipeline = Policies.from_mapping(POLICY, log=False).pipeline("p")
    return pipeline.plan(fn, OperationInfo(operation="x", idempotent=True))


def above_alone(times: dict[str, Times]) -> list[tuple[str, str, str, str]]:
    alone = times[ALONE]
    return [
        (name, f"{row.minimum:,.0f}", f"{row.median:,.0f}", f"{row.ratio(alone):.2f}") for name, row in times.items()
    ]


def main() -> None:
    options = parse_options(__doc__ or "", rounds=200)
    unchecked, checked = sync_rounds(drivers(sync_driver, "compile_sync", nothing), rounds=4 * options.rounds).values()
    async_drivers = drivers(async_driver, "compile_async", nothing_async)
    async_unchecked, async_checked = async_rounds(async_drivers, rounds=4 * options.rounds).values()
    sync, asynchronous = (
        sync_rounds(rows(nothing), rounds=options.rounds),
        async_rounds(rows(nothing_async), rounds=options.rounds),
    )
    targets = [
        at_most("sync, with the histogram / without", 1.3, sync[WATCHED].ratio(sync[ALONE])),
        at_most("async, with the histogram / without", 1.3, asynchronous[WATCHED].ratio(asynchronous[ALONE])),
        at_most("sync, nobody watches / without the question", 1.05, checked.ratio(unchecked)),
        at_most("async, nobody watches / without the question", 1.05, async_checked.ratio(async_unchecked)),
    ]
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
