"""Many threads through one breaker: does anybody wait for anybody?

    python -m benchmarks.contention [--rounds N] [--write]

Two questions. Threads that wait for an answer (a sleep of 20 ms) through one breaker, against no breaker:
a lock that is held during the call makes them wait in a row. Calls that do nothing, by 32 threads against
one: a lock with a call inside makes threads hand the interpreter to each other for every call. Where other
programs compete for the processor, 32 threads get more of it than one: what a bare call gains is divided out.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from .ours import AMPLE, EVERYTHING, compiled
from .rounds import at_least, demands, options, report, table

Fn = Callable[[], Any]
OURS, NONE = "**resilience, everything on**", "no breaker"
SLEEPERS, SLEEP, SPINNERS = 64, 0.02, 32


def nap() -> None:
    """Stand for a request: it waits for its answer and holds no lock of the interpreter."""
    time.sleep(SLEEP)


def nothing() -> int:
    return 1


def calls(fn: Fn) -> dict[str, Fn]:
    """Return the rows for one function."""
    rows = {NONE: fn, OURS: compiled(fn, **{**EVERYTHING, "quota": AMPLE}), "a lock held during the call": _locked(fn)}
    import pybreaker

    rows["pybreaker"] = pybreaker.CircuitBreaker()(fn)
    if find_spec("circuitbreaker"):
        from circuitbreaker import circuit

        rows["circuitbreaker"] = circuit(fn)
    if find_spec("pyresilience"):
        from pyresilience import CircuitBreakerConfig, RetryConfig, resilient

        rows["pyresilience retry + breaker"] = resilient(retry=RetryConfig(), circuit_breaker=CircuitBreakerConfig())(
            fn
        )
    if find_spec("interlock"):
        from interlock import CircuitBreaker

        rows["interlock"] = CircuitBreaker(name="contended")(fn)
    return rows


def _locked(fn: Fn) -> Fn:
    lock = threading.Lock()

    def call() -> Any:
        with lock:
            return fn()

    return call


def throughput(call: Fn, threads: int, seconds: float, batch: int) -> float:
    """Return calls a second, all threads together; each looks at the end of a batch whether time is up."""
    start, over, made = threading.Barrier(threads + 1), threading.Event(), [0] * threads

    def run(number: int) -> None:
        batched = [None] * batch
        start.wait()
        while not over.is_set():
            for _ in batched:
                call()
            made[number] += batch

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for one in running:
        one.start()
    start.wait()
    before = time.perf_counter()
    time.sleep(seconds)  # the threads work meanwhile: this is what is measured
    over.set()
    for one in running:
        one.join()
    return sum(made) / (time.perf_counter() - before)


def main() -> None:
    given = options(__doc__, rounds=7)
    napping, idle = calls(nap), calls(nothing)
    waits: dict[str, list[float]] = {name: [] for name in napping}
    many: dict[str, list[float]] = {name: [] for name in idle}
    one: dict[str, list[float]] = {name: [] for name in idle}
    for _ in range(given.rounds):
        for name, call in napping.items():
            waits[name].append(throughput(call, SLEEPERS, 0.5, 1))
        for name, call in idle.items():
            one[name].append(throughput(call, 1, 0.4, 200))
            many[name].append(throughput(call, SPINNERS, 0.4, 200))
    share = {name: _ratio(waits[name], waits[NONE]) for name in waits}
    scaled = {name: _ratio(many[name], one[name]) for name in idle}
    keeps = {name: scaled[name] / scaled[NONE] for name in idle}
    report(
        "contention",
        "Many threads through one breaker",
        f"{given.rounds} interleaved rounds; ratios are medians of the rounds' own.",
        "## Demanded and measured\n\n"
        + demands(
            [
                at_least("64 threads x 20 ms through one breaker, against no breaker", 0.98, share[OURS]),
                at_least("no-op calls by 32 threads, against one thread", 0.8, keeps[OURS]),
            ]
        ),
        "## Calls a second\n\n"
        + table(
            (
                "",
                "64 threads x 20 ms",
                "against no breaker",
                "no-op, 1 thread",
                "no-op, 32 threads",
                "32 against 1",
                "… the bare call's taken as 1",
            ),
            [
                (
                    name,
                    f"{statistics.median(waits[name]):,.0f}",
                    f"{share[name]:.2f}",
                    f"{statistics.median(one[name]):,.0f}",
                    f"{statistics.median(many[name]):,.0f}",
                    f"{scaled[name]:.2f}",
                    f"{keeps[name]:.2f}",
                )
                for name in idle
            ],
        ),
        write=given.write,
    )


def _ratio(some: list[float], others: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(some, others, strict=True))


if __name__ == "__main__":
    main()
