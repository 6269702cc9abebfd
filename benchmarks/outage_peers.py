"""The peers in the outage, each a `Client` of the simulation: their real code where it can run on virtual time.

tenacity and stamina sleep through asyncio, and their stop conditions read the module `time`; pybreaker reads
`datetime.now`. Both names are replaced by the loop's time, in this process alone. A peer that cannot run on virtual
time is a model, and its name says so.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from random import Random
from types import SimpleNamespace
from typing import Any

import pybreaker
import stamina
import tenacity
from stamina.instrumentation import set_on_retry_hooks

from resilience.simulate import Client, VirtualClock

_NOW: list[Any] = [lambda: 0.0]


def _now() -> float:
    now: float = _NOW[0]()
    return now


class _Datetime:
    @staticmethod
    def now(zone: Any = None) -> dt.datetime:
        return dt.datetime.fromtimestamp(1_700_000_000 + _now(), zone)


def on_virtual_time() -> None:
    """Have the peers read the time of the running loop; nothing else in this process uses them.

    Neither takes a clock as an argument, so replacing the name under which each reads the time is the only way to run
    their real code, and not a model of it, on virtual time.
    """
    tenacity.time = SimpleNamespace(monotonic=_now, time=_now)  # type: ignore[attr-defined]
    pybreaker.datetime = _Datetime  # type: ignore[misc, assignment]
    set_on_retry_hooks([])  # it would log a line per retry


def no_retry(send: Any, _clock: VirtualClock, _random: Random) -> Any:
    return send


def tenacity_3(send: Any, clock: VirtualClock, _random: Random) -> Any:
    _NOW[0] = clock.monotonic
    return tenacity.retry(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_exponential_jitter(initial=0.2, max=5.0, jitter=0.5),
        retry=tenacity.retry_if_not_exception_type(pybreaker.CircuitBreakerError),
        reraise=True,
    )(send)


def stamina_defaults(send: Any, clock: VirtualClock, _random: Random) -> Any:
    _NOW[0] = clock.monotonic

    @stamina.retry(on=Exception)
    async def call() -> Any:
        return await send()

    return call


def _behind_pybreaker(call: Any) -> Any:
    """Return a coroutine function behind pybreaker(5, 60 s), with its only API that awaits nothing under its lock."""
    breaker = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=60)

    async def through() -> Any:
        with breaker.calling():
            return await call()

    return through


def tenacity_outside(send: Any, clock: VirtualClock, random: Random) -> Any:
    return tenacity_3(_behind_pybreaker(send), clock, random)


def pybreaker_outside(send: Any, clock: VirtualClock, random: Random) -> Any:
    return _behind_pybreaker(tenacity_3(send, clock, random))


def aws_standard(send: Any, _clock: VirtualClock, random: Random) -> Any:
    """Model the default of the AWS SDKs: 3 attempts; 500 tokens, 5 per retry, returned by successes."""
    tokens = 500

    async def call() -> Any:
        nonlocal tokens
        attempt = taken = 0
        while True:
            try:
                result = await send()
            except Exception:
                attempt += 1
                if attempt == 3 or tokens < 5:
                    raise
            else:
                tokens = min(500, tokens + (taken or 1))
                return result
            tokens, taken = tokens - 5, 5
            await asyncio.sleep(random.random() * 2 ** (attempt - 1))

    return call


PEERS: dict[str, Client] = {
    "no retry": no_retry,
    "tenacity, 3 attempts, exponential jitter": tenacity_3,
    "stamina, defaults": stamina_defaults,
    "tenacity 3 outside pybreaker(5, 60 s)": tenacity_outside,
    "pybreaker(5, 60 s) outside tenacity 3": pybreaker_outside,
    "AWS standard, 3 attempts, 500/5 tokens (model)": aws_standard,
}
