"""Types of the public names; checked by mypy in .ci/run and never run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, assert_type

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


Pipeline(Policy(cache={"max_age": "2s"}), stages=[Remember(), RememberAsync()])  # type: ignore[arg-type]
