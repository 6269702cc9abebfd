"""Types of the public names; checked by mypy in .ci/run and never run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, assert_type

import pybreaker
import requests
import urllib3

from resilience import BreakerStore, Failure, Pipeline, Policies, Policy, Stage, failure_of, resilient, wrap
from resilience.integrations.ccxt.exchange_support import ExchangeSupport, MethodInfo
from resilience.integrations.http import ClientRequest, HttpAttempt, HttpClientSupport


@resilient
def price(symbol: str, *, depth: int = 1) -> float:
    return float(depth)


@resilient("read", idempotent=True)
async def balance(coin: str) -> str:
    return coin


class Bot:
    @resilient
    def place(self, size: int) -> int:
        return size

    @resilient()
    async def cancel(self, order: int) -> int:
        return order

    @staticmethod
    @resilient
    def fee(size: int) -> float:
        return float(size)

    @classmethod
    @resilient
    def limit(cls, size: int) -> int:
        return size


assert_type(price("BTC", depth=2), float)
assert_type(Bot().place(1), int)
assert_type(Bot.fee(1), float)
assert_type(Bot.limit(1), int)
price(1)  # type: ignore[arg-type]
Bot().place()  # type: ignore[call-arg]
resilient(polcy="read")  # type: ignore[call-overload]

resilient("read", key="order", key_factory=lambda: "key")
resilient("read", key="order", key_factory=7)  # type: ignore[call-overload]
resilient("read", key="order", key_factory=lambda: 7)  # type: ignore[arg-type, return-value]

policies = Policies.builtin()
assert_type(policies.resilient("bitget", key="order", key_factory=str)(Bot.fee)(1), float)
assert_type(policies.resilient(price)("BTC"), float)
assert_type(policies.resilient("bitget", key="order")(Bot.fee)(1), float)
assert_type(policies.wrap(requests.Session()), requests.Session)
assert_type(wrap(requests.Session(), "http"), requests.Session)

assert_type(wrap(urllib3.PoolManager(), "http"), urllib3.PoolManager)


class Store(BreakerStore):
    def load(self) -> Mapping[str, Any]:
        return {}

    def save(self, name: str, record: Mapping[str, Any]) -> None: ...


class Client(HttpClientSupport):
    error_base = OSError

    def read_request(self, arguments: Mapping[str, Any]) -> ClientRequest:
        return ClientRequest("GET", arguments["url"])

    def set_attempt(self, arguments: dict[str, Any], attempt: HttpAttempt) -> None:
        arguments["headers"] = attempt.with_headers(None)
        assert_type(attempt.timeout(3.0), float | None)

    def read_body(self, response: Any) -> tuple[Any, bytes]:
        return response, b""


class AsyncClient(Client):
    asynchronous = True

    async def read_body(self, response: Any) -> tuple[Any, bytes]:  # type: ignore[override]
        return response, b""


class Exchange(ExchangeSupport):
    def describe(self, method: MethodInfo, wrapped: Any) -> Mapping[str, Any]:
        return {"signs": True}


Exchange()
Pipeline(Policy(), breaker_store=Store())
Policies.builtin(breaker_store=Store())
Policies.builtin(pybreaker_storage={"default": pybreaker.CircuitMemoryStorage("closed")})
Policies.builtin(breaker_store=7)  # type: ignore[arg-type]

pipeline = Pipeline(Policy())
assert_type(pipeline.call(price, "BTC"), float)
assert_type(pipeline.compile(price)("BTC", depth=3), float)
assert_type(failure_of(OSError()), Failure)


async def awaited() -> None:
    assert_type(await balance("USDT"), str)
    assert_type(await Bot().cancel(1), int)
    assert_type(await pipeline.acall(balance, "USDT"), str)
    assert_type(await pipeline.compile(balance)("USDT"), str)


class Remember(Stage):
    """A stage of sync pipelines."""

    def around(self, call: Any, send: Callable[[], Any]) -> Any:
        """Send."""
        return send()


class RememberAsync(Stage):
    """A stage of async pipelines."""

    async def around(self, call: Any, send: Callable[[], Awaitable[Any]]) -> Any:
        """Send."""
        return await send()


Pipeline(Policy(cache={"max_age": "2s"}), stages=[Remember(), RememberAsync()])


settings = Policy(
    name="read",
    deadline="20s",
    attempt_timeout=timedelta(seconds=3),
    retry={"max_attempts": 4, "backoff": {"initial": 0}},
    breaker={"window": "100 calls", "half_open": {"permits": 2}},
    quota=[{"rate": "10/s"}],
    codes=["bitget", "http"],
    fallback={"stale_for": "30s"},
    admission={"max_concurrent": 2},
    pass_through=[OSError],
    unknown_errors={"category": "fatal"},
)
assert_type(settings.deadline, float | None)
assert_type(settings.codes, tuple[str, ...])
assert_type(replace(settings, deadline="30s"), Policy)
assert_type([window.rate for window in settings.quota], list[float])
assert settings.retry is not None
assert_type(settings.retry.backoff.initial, float)
replace(settings.retry, max_attempts=2, backoff={"initial": "1s"})
Policy(deadline=b"20s")  # type: ignore[arg-type]
Policy(retry=4)  # type: ignore[arg-type]
Policy(dead_line="20s")  # type: ignore[call-arg]
settings.deadline = 3.0  # type: ignore[misc]
