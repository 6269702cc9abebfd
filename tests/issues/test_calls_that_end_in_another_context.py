"""A coroutine that nobody awaits any more ends in the context of whoever collects it, and raises nothing there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextvars import copy_context
from typing import Any

import ccxt.async_support
import httpx
import pytest

from resilience import Pipeline, Policies, Policy, wrap


class Forever:
    """An awaitable that nothing ends."""

    def __await__(self) -> Generator[None, None, None]:
        while True:
            yield


class Silent(httpx.AsyncBaseTransport):
    """A transport whose server never answers."""

    async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
        """Wait."""
        await Forever()
        raise AssertionError


class SlowExchange(ccxt.async_support.binance):
    """An exchange whose method never ends."""

    async def fetch_ticker(self, _symbol: str, _params: Any = None) -> Any:
        """Wait."""
        await Forever()

    async def create_orders(self, _orders: Any, _params: Any = None) -> Any:
        """Wait."""
        await Forever()


async def wait() -> None:
    """Wait."""
    await Forever()


def reported() -> Awaitable[Any]:
    """Call a function whose successes somebody hears."""
    policies = Policies.builtin(log=False)
    policies.subscribe(lambda _event: None, successes=True)
    return policies.pipeline("default").compile(wait)()


def by_httpx() -> Awaitable[Any]:
    """Send a request through a wrapped client."""
    return wrap(httpx.AsyncClient(transport=Silent()), "http").get("http://127.0.0.1/")


def by_ccxt() -> Awaitable[Any]:
    """Call a method of a wrapped exchange."""
    return wrap(SlowExchange(), "ccxt").fetch_ticker("BTC/USDT")


def with_a_key() -> Awaitable[Any]:
    """Call a write that has a key."""

    async def buy(**_params: Any) -> None:
        await Forever()

    return Pipeline(Policy(), key="client_id", log=False).compile(buy)()


@pytest.mark.parametrize("begin", [reported, by_httpx, by_ccxt, with_a_key])
def test_it_is_closed_without_an_error(begin: Callable[[], Any]) -> None:
    """Closing it raises nothing, so that the attempt counts as cancelled and its clean-up is complete."""

    async def main() -> None:
        call = begin().__await__()
        copy_context().run(call.send, None)
        call.close()

    asyncio.run(main())
