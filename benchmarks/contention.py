"""Measures whether threads that share one breaker wait for each other.

    python -m benchmarks.contention [--rounds N] [--write]

First, threads that wait for an answer (a sleep of 20 ms) through one breaker, against no breaker: a lock that is held
during the call serialises them. Second, calls that do nothing, by 32 threads against one: a lock around the call makes
threads switch for every call. If other programs compete for the processor, 32 threads get a larger share of it than
one, so the gain of the bare call is divided out.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from .ours import AMPLE, EVERYTHING, compiled
from .rounds import at_least, parse_options, report, table, target_table

Fn = Callable[[], Any]
OURS, NONE = "**resilience, everything on**", "no breaker"
SLEEPERS, SLEEP, SPINNERS = 64, 0.02, 32


def nap() -> None:
    """Simulate a request: it waits for its answer without the interpreter's lock."""
    time.sleep(SLEEP)  # what is measured: threads that wait without the lock


def nothing() -> int:
    return 1


def rows(fn: Fn) -> dict[str, Fn]:
    """Return the rows for one function."""
    calls = {NONE: fn, OURS: compiled(fn, **{**EVERYTHING, "quota": AMPLE}), "a lock held during the call": _locked(fn)}
    import pybreaker

    calls["pybreaker"] = pybreaker.CircuitBreaker()(fn)
    if find_spec("circuitbreaker"):
        from circuitbreaker import circuit

        calls["circuitbreaker"] = circuit(fn)
    if find_spec("pyresilience"):
        from pyresilience import CircuitBreakerConfig, RetryConfig, resilient

        calls["pyresilience retry + breaker"] = resilient(retry=RetryConfig(), circuit_breaker=CircuitBreakerConfig())(
            fn
        )
    if find_spec("interlock"):
        from interlock import CircuitBreaker

        calls["interlock"] = CircuitBreaker(name="contended")(fn)
    return calls


def _locked(fn: Fn) -> Fn:
    lock = threading.Lock()

    def call() -> Any:
        with lock:
            return fn()

    return call


def throughput(call: Fn, threads: int, seconds: float, batch: int) -> float:
    """Return calls per second, all threads together; each thread checks after a batch whether time is up."""
    # A barrier, so that no thread runs before all of them have started.
    start, stop, calls = threading.Barrier(threads + 1), threading.Event(), [0] * threads

    def run(number: int) -> None:
        # Checking the event after each call would cost more than a call that does nothing.
        batched = [None] * batch
        start.wait()
        while not stop.is_set():
            for _ in batched:
                call()
            calls[number] += batch

    workers = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    before = time.perf_counter()
    time.sleep(seconds)  # the threads work meanwhile
    stop.set()
    for worker in workers:
        worker.join()
    return sum(calls) / (time.perf_counter() - before)


def main() -> None:
    options = parse_options(__doc__, rounds=7)
    napping, idle = rows(nap), rows(nothing)
    waits: dict[str, list[float]] = {name: [] for name in napping}
    many: dict[str, list[float]] = {name: [] for name in idle}
    single: dict[str, list[float]] = {name: [] for name in idle}
    for _ in range(options.rounds):
        for name, call in napping.items():
            waits[name].append(throughput(call, SLEEPERS, 0.5, 1))
        for name, call in idle.items():
            single[name].append(throughput(call, 1, 0.4, 200))
            many[name].append(throughput(call, SPINNERS, 0.4, 200))
    share = {name: _ratio(waits[name], waits[NONE]) for name in waits}
    scaled = {name: _ratio(many[name], single[name]) for name in idle}
    keeps = {name: scaled[name] / scaled[NONE] for name in idle}
    report(
        "contention",
        "Many threads through one breaker",
        f"{options.rounds} interleaved rounds; ratios are medians of the ratios of the rounds.",
        "## Targets and measured figures\n\n"
        + target_table(
            [
                at_least("64 threads x 20 ms through one breaker, against no breaker", 0.98, share[OURS]),
                at_least("no-op calls by 32 threads, against one thread", 0.8, keeps[OURS]),
            ]
        ),
        "## Calls per second\n\n"
        + table(
            (
                "",
                "64 threads x 20 ms",
                "against no breaker",
                "no-op, 1 thread",
                "no-op, 32 threads",
                "32 against 1",
                "… relative to the bare call",
            ),
            [
                (
                    name,
                    f"{statistics.median(waits[name]):,.0f}",
                    f"{share[name]:.2f}",
                    f"{statistics.median(single[name]):,.0f}",
                    f"{statistics.median(many[name]):,.0f}",
                    f"{scaled[name]:.2f}",
                    f"{keeps[name]:.2f}",
                )
                for name in idle
            ],
        ),
        write=options.write,
    )


def _ratio(some: list[float], others: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(some, others, strict=True))


if __name__ == "__main__":
    main()
