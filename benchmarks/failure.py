"""What a failing call costs, what it keeps alive, and how fast an open breaker refuses: ours and peers.

python -m benchmarks.failure [--rounds N] [--write]
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from resilience import Pipeline, Policy

from .rounds import at_most, demands, options, report, sync_rounds, table

Fn = Callable[[], Any]
OURS, TWO = "**resilience, everything on**", 2
SETTINGS: dict[str, Any] = {
    "retry": {"max_attempts": TWO, "backoff": {"initial": 0}},
    "budget": {"ratio": 10, "floor": 100_000},
    "breaker": {"failure_rate": "100%", "min_calls": 1_000_000},
    "quota": [{"rate": 1_000_000, "burst": 1000}],
    "deadline": "30s",
    "attempt_timeout": "8s",
}


class Flaky:
    """Fails every other time, so that a call of two attempts recovers; or always."""

    def __init__(self, always: bool) -> None:
        self.always = always
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.always or self.calls % 2:
            raise ConnectionRefusedError("no")
        return 1


def caught(call: Fn) -> Fn:
    """Return a call whose error is taken and dropped, as a caller does."""

    def run() -> Any:
        try:
            return call()
        except Exception:
            return None

    return run


def plain(fn: Fn) -> Fn:
    """The floor: two attempts in a loop by hand."""

    def call() -> Any:
        try:
            return fn()
        except ConnectionRefusedError:
            return fn()

    return call


def ours(fn: Fn) -> Fn:
    return Pipeline(Policy(**SETTINGS), idempotent=True).compile(fn)


def retrying() -> Iterator[tuple[str, Callable[[Fn], Fn]]]:
    """Give what retries once without waiting."""
    yield "two attempts by hand", plain
    yield OURS, ours
    yield "resilience, retry alone", lambda fn: Pipeline(Policy(retry=SETTINGS["retry"]), idempotent=True).compile(fn)
    import pybreaker
    import tenacity

    tenacious = tenacity.retry(stop=tenacity.stop_after_attempt(TWO), wait=tenacity.wait_none(), reraise=True)
    yield "tenacity", lambda fn: tenacious(_function(fn))
    yield (
        "pybreaker(tenacity(f))",
        lambda fn: pybreaker.CircuitBreaker(fail_max=10**9)(tenacious(_function(fn))),
    )
    if find_spec("backoff"):
        import backoff

        logging.getLogger("backoff").disabled = True
        every = backoff.on_exception(backoff.constant, Exception, max_tries=TWO, interval=0, jitter=None)
        yield "backoff", lambda fn: every(_function(fn))
    if find_spec("pyresilience"):
        from pyresilience import CircuitBreakerConfig, RetryConfig, resilient

        rules = {"retry": RetryConfig(max_attempts=TWO, delay=0), "circuit_breaker": CircuitBreakerConfig(10**9)}
        yield "pyresilience retry + breaker", lambda fn: resilient(**rules)(_function(fn))
    if find_spec("redress"):
        from redress import Policy as Redress
        from redress import Retry, default_classifier

        retry = Retry(classifier=default_classifier, strategy=lambda _context: 0.0, max_attempts=TWO)
        yield "redress retry", lambda fn: lambda: Redress(retry=retry).call(fn)
    if find_spec("stamina"):
        import stamina
        from stamina.instrumentation import set_on_retry_hooks

        set_on_retry_hooks([])
        eager = stamina.retry(on=Exception, attempts=TWO, wait_initial=0, wait_jitter=0, wait_max=0)
        yield "stamina", lambda fn: eager(_function(fn))


def _function(fn: Fn) -> Fn:
    """Give an object that is called the shape of a function: some peers read its name."""

    def named() -> Any:
        return fn()

    return named


def refusing() -> Iterator[tuple[str, Fn]]:
    """Give calls through breakers that are open."""

    def raises() -> None:
        raise ConnectionRefusedError("no")

    pipeline = Pipeline(
        Policy(**{**SETTINGS, "breaker": {"consecutive": 1, "open_for": "1h", "open_max": "1h"}}), idempotent=True
    )
    compiled = pipeline.compile(raises)
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    yield "a plain raise", raises
    yield OURS, compiled
    import pybreaker

    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=3600)
    yield "pybreaker", breaker(raises)
    if find_spec("circuitbreaker"):
        from circuitbreaker import circuit

        yield "circuitbreaker", circuit(failure_threshold=1, recovery_timeout=3600)(raises)
    if find_spec("pyresilience"):
        from pyresilience import CircuitBreakerConfig, resilient

        yield "pyresilience", resilient(circuit_breaker=CircuitBreakerConfig(1, 3600))(raises)
    if find_spec("interlock"):
        from interlock import CircuitBreaker

        shut = CircuitBreaker(name="shut")
        shut.force_open()
        yield "interlock", shut(raises)
    if find_spec("purgatory"):
        from purgatory import SyncCircuitBreakerFactory

        yield "purgatory", SyncCircuitBreakerFactory(default_threshold=1, default_ttl=3600)("shut")(raises)


def kept(call: Fn, calls: int = 100) -> float:
    """Return how many objects a call leaves that only the collector can free."""
    for _ in range(10):
        call()
    gc.collect()
    gc.disable()
    try:
        for _ in range(calls):
            call()
        return gc.collect() / calls
    finally:
        gc.enable()


def main() -> None:
    given = options(__doc__, rounds=100)
    makers = dict(retrying())
    recovers = {name: caught(make(Flaky(always=False))) for name, make in makers.items()}
    gives_up = {name: caught(make(Flaky(always=True))) for name, make in makers.items()}
    refuses = {name: caught(call) for name, call in refusing()}
    for call in refuses.values():
        call()  # the first failure opens it
    left = {name: (kept(recovers[name]), kept(gives_up[name])) for name in makers}
    up, down = (sync_rounds(rows, rounds=given.rounds) for rows in (recovers, gives_up))
    shut = sync_rounds(refuses, rounds=given.rounds)
    report(
        "failure",
        "Failing calls",
        "One call of two attempts without a wait between them, the error taken by the caller. Kept: objects a call "
        f"that only the collector frees. {given.rounds} interleaved rounds, the collector off.",
        "## Demanded and measured\n\n"
        + demands(
            [
                at_most("open breaker refusing, against pybreaker", 1 / 2, shut[OURS].ratio(shut["pybreaker"]), "1/2"),
                at_most("objects kept by a failing call", 0, left[OURS][1]),
                at_most("objects kept by a call that recovers", 0, left[OURS][0]),
            ]
        ),
        "## A failing call\n\n"
        + table(
            ("", "recovers, ns", "ours / this", "gives up, ns", "ours / this", "kept, recovers", "kept, gives up"),
            [
                (
                    name,
                    f"{up[name].least:,.0f}",
                    f"{up[OURS].ratio(up[name]):.2f}",
                    f"{down[name].least:,.0f}",
                    f"{down[OURS].ratio(down[name]):.2f}",
                    f"{left[name][0]:g}",
                    f"{left[name][1]:g}",
                )
                for name in sorted(makers, key=lambda one: down[one].least)
            ],
        ),
        "## An open breaker refuses\n\n"
        + table(
            ("", "least, ns", "median, ns", "ours / this"),
            [
                (name, f"{one.least:,.0f}", f"{one.median:,.0f}", f"{shut[OURS].ratio(one):.2f}")
                for name, one in sorted(shut.items(), key=lambda item: item[1].least)
            ],
        ),
        write=given.write,
    )


if __name__ == "__main__":
    main()
