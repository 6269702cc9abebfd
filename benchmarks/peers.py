"""Decorates a function with each peer, as the peer's documentation shows: sync and async rows.

A peer that is not installed has no row; `pip install -e '.[bench]'` installs all of them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

Fn = Callable[..., Any]
Row = tuple[str, str, Callable[[Fn], Fn]]
"""The row's name, the package it needs, and what decorates a function with it."""


def _tenacity(fn: Fn) -> Fn:
    from tenacity import retry, stop_after_attempt, wait_exponential_jitter

    return retry(stop=stop_after_attempt(3), wait=wait_exponential_jitter(0.2, 5), reraise=True)(fn)


def _pybreaker(fn: Fn) -> Fn:
    import pybreaker

    return pybreaker.CircuitBreaker(fail_max=5, reset_timeout=60)(fn)


def _stamina(fn: Fn) -> Fn:
    import stamina

    return stamina.retry(on=ConnectionError, attempts=3)(fn)


def _pyresilience(*parts: str) -> Callable[[Fn], Fn]:
    def decorate(fn: Fn) -> Fn:
        from pyresilience import BulkheadConfig, CircuitBreakerConfig, RateLimiterConfig, RetryConfig, resilient

        every = {
            "retry": RetryConfig(max_attempts=3, delay=0.2),
            "circuit_breaker": CircuitBreakerConfig(),
            # So large that it never delays a benchmark.
            "rate_limiter": RateLimiterConfig(max_calls=10_000_000, period=1.0),
            "bulkhead": BulkheadConfig(max_concurrent=100),
        }
        return resilient(**{name: every[name] for name in parts})(fn)

    return decorate


def _redress(fn: Fn) -> Fn:
    from redress import CircuitBreaker, Policy, Retry, default_classifier
    from redress.strategies import decorrelated_jitter

    retry = Retry(classifier=default_classifier, strategy=decorrelated_jitter(max_s=5.0), max_attempts=3)
    policy = Policy(retry=retry, circuit_breaker=CircuitBreaker())
    return lambda: policy.call(fn)


def _redress_async(fn: Fn) -> Fn:
    from redress import AsyncPolicy, AsyncRetry, default_classifier
    from redress.strategies import decorrelated_jitter

    retry = AsyncRetry(classifier=default_classifier, strategy=decorrelated_jitter(max_s=5.0), max_attempts=3)
    policy = AsyncPolicy(retry=retry)
    return lambda: policy.call(fn)


def _interlock(fn: Fn) -> Fn:
    from interlock import CircuitBreaker

    return CircuitBreaker(name="peer")(fn)


def _interlock_retry(fn: Fn) -> Fn:
    from interlock import CircuitBreaker, Pipeline

    built = Pipeline.builder().retry(attempts=3).circuit_breaker(CircuitBreaker(name="peer")).build()
    return built(fn)


def _circuitbreaker(fn: Fn) -> Fn:
    from circuitbreaker import circuit

    return circuit(failure_threshold=5, recovery_timeout=60)(fn)


def _backoff(fn: Fn) -> Fn:
    import backoff

    return backoff.on_exception(backoff.expo, ConnectionError, max_tries=3)(fn)


def _purgatory(fn: Fn) -> Fn:
    from purgatory import SyncCircuitBreakerFactory

    return SyncCircuitBreakerFactory()("peer")(fn)


def _purgatory_async(fn: Fn) -> Fn:
    from purgatory import AsyncCircuitBreakerFactory

    return AsyncCircuitBreakerFactory()("peer")(fn)


def _hyx(fn: Fn) -> Fn:
    from hyx.retry import retry

    return retry(on=ConnectionError, attempts=3)(fn)


def _hyx_breaker(fn: Fn) -> Fn:
    from hyx.circuitbreaker import consecutive_breaker

    return consecutive_breaker()(_hyx(fn))


def _aiobreaker(fn: Fn) -> Fn:
    from aiobreaker import CircuitBreaker

    return CircuitBreaker(fail_max=5, timeout_duration=timedelta(seconds=60))(fn)


def _logged(fn: Fn) -> Fn:
    """Write one structlog line of JSON per call."""
    import structlog

    log = structlog.wrap_logger(
        structlog.WriteLogger(io.StringIO()),
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
    )

    def call() -> Any:
        result = fn()
        log.info("call", operation="fetch", attempt=1)
        return result

    return call


def _logged_async(fn: Fn) -> Fn:
    import structlog

    log = structlog.wrap_logger(
        structlog.WriteLogger(io.StringIO()),
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
    )

    async def call() -> Any:
        result = await fn()
        log.info("call", operation="fetch", attempt=1)
        return result

    return call


SYNC: tuple[Row, ...] = (
    ("circuitbreaker", "circuitbreaker", _circuitbreaker),
    ("backoff", "backoff", _backoff),
    ("pyresilience retry", "pyresilience", _pyresilience("retry")),
    ("pyresilience retry + breaker", "pyresilience", _pyresilience("retry", "circuit_breaker")),
    (
        "pyresilience retry + breaker + quota + bulkhead",
        "pyresilience",
        _pyresilience("retry", "circuit_breaker", "rate_limiter", "bulkhead"),
    ),
    ("purgatory", "purgatory", _purgatory),
    ("pybreaker", "pybreaker", _pybreaker),
    ("redress retry + breaker", "redress", _redress),
    ("interlock breaker", "interlock", _interlock),
    ("interlock retry + breaker", "interlock", _interlock_retry),
    ("stamina", "stamina", _stamina),
    ("tenacity", "tenacity", _tenacity),
    ("pybreaker(tenacity(f))", "pybreaker", lambda fn: _pybreaker(_tenacity(fn))),
    ("pybreaker(tenacity(f)) + a structlog line", "pybreaker", lambda fn: _logged(_pybreaker(_tenacity(fn)))),
)
ASYNC: tuple[Row, ...] = (
    ("hyx retry", "hyx", _hyx),
    ("hyx breaker(retry)", "hyx", _hyx_breaker),
    ("purgatory", "purgatory", _purgatory_async),
    ("pyresilience retry + breaker", "pyresilience", _pyresilience("retry", "circuit_breaker")),
    ("redress retry", "redress", _redress_async),
    ("interlock breaker", "interlock", _interlock),
    ("backoff", "backoff", _backoff),
    ("aiobreaker", "aiobreaker", _aiobreaker),
    ("stamina", "stamina", _stamina),
    ("tenacity", "tenacity", _tenacity),
    ("tenacity(aiobreaker(f))", "aiobreaker", lambda fn: _tenacity(_aiobreaker(fn))),
    ("tenacity(aiobreaker(f)) + a structlog line", "aiobreaker", lambda fn: _logged_async(_tenacity(_aiobreaker(fn)))),
)


def installed(rows: tuple[Row, ...], fn: Fn) -> Iterator[tuple[str, Fn]]:
    """Yield the name and the call of each row whose package is installed."""
    for name, package, decorate in rows:
        if find_spec(package) is not None:
            yield name, decorate(fn)
