"""The calls that `benchmarks.failure` measures: functions that fail, under this library and under its peers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from resilience import Pipeline, Policy

__all__ = ["OURS", "Flaky", "Fn", "rejecting", "retrying", "swallow"]

Fn = Callable[[], Any]
OURS, TWO = "**resilience, everything on**", 2
SETTINGS: dict[str, Any] = {
    "retry": {"max_attempts": TWO, "backoff": {"initial": 0}},
    # So large that it never ends a retry.
    "budget": {"ratio": 10, "floor": 100_000},
    "breaker": {"failure_rate": "100%", "min_calls": 1_000_000},
    "quota": [{"rate": 1_000_000, "burst": 1000}],
    "deadline": "30s",
    "attempt_timeout": "8s",
}


class Flaky:
    """Fails every other time, so that a call with two attempts recovers, or always."""

    def __init__(self, always: bool) -> None:
        self.always = always
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.always or self.calls % 2:
            raise ConnectionRefusedError("no")
        return 1


def swallow(call: Fn) -> Fn:
    """Return a call that catches and drops its error, as a caller does."""

    def run() -> Any:
        try:
            return call()
        except Exception:
            return None

    return run


def plain(fn: Fn) -> Fn:
    """Return two attempts written by hand, the lower bound of the cost."""

    def call() -> Any:
        try:
            return fn()
        except ConnectionRefusedError:
            return fn()

    return call


def ours(fn: Fn) -> Fn:
    return Pipeline(Policy(**SETTINGS), idempotent=True, log=False).compile(fn)


def retrying() -> Iterator[tuple[str, Callable[[Fn], Fn]]]:
    """Yield the names and the decorators that retry once without waiting."""
    yield "two attempts by hand", plain
    yield OURS, ours
    yield (
        "resilience, retry alone",
        lambda fn: Pipeline(Policy(retry=SETTINGS["retry"]), idempotent=True, log=False).compile(fn),
    )
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

        # It would log a line per failure.
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

        # It would log a line per retry.
        set_on_retry_hooks([])
        eager = stamina.retry(on=Exception, attempts=TWO, wait_initial=0, wait_jitter=0, wait_max=0)
        yield "stamina", lambda fn: eager(_function(fn))


def _function(fn: Fn) -> Fn:
    """Return a function that calls an object; some peers read the name of what they decorate."""

    def named() -> Any:
        return fn()

    return named


def rejecting() -> Iterator[tuple[str, Fn]]:
    """Yield the names of breakers, and calls through them while they are open."""

    def raises() -> None:
        raise ConnectionRefusedError("no")

    pipeline = Pipeline(
        Policy(**{**SETTINGS, "breaker": {"consecutive": 1, "open_for": "1h", "open_max": "1h"}}),
        idempotent=True,
        log=False,
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
