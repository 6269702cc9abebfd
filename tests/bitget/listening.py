"""A client of the sandbox's sockets, a log of its events, and waits for the conditions of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from resilience import Policies
from resilience.bitget import WebsocketClientV2, WebsocketClientV3
from resilience.sandbox import Sandbox
from resilience.streams import StreamClient
from resilience.streams.session.stream_failure import EVENTS

T = TypeVar("T")
TICKER = {"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"}
BOOKS = {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}
ORDERS = {"instType": "SPOT", "channel": "orders", "instId": "default"}
TICKER3 = {"instType": "spot", "topic": "ticker", "symbol": "BTCUSDT"}
ORDERS3 = {"instType": "UTA", "topic": "order"}
TIMEOUT = 60.0  # seconds after which a condition that is not met fails the test


class EventLog:
    """Records every event of a client, in order."""

    def __init__(self, client: StreamClient) -> None:
        self.events: list[tuple[str, Any]] = []
        self._received = asyncio.Event()
        for name in EVENTS:
            client.on(name, lambda value, name=name: self._record(name, value))

    def _record(self, name: str, value: Any) -> None:
        self.events.append((name, value))
        self._received.set()

    def of(self, name: str) -> list[Any]:
        """Return the values of the events of one name."""
        return [value for event, value in self.events if event == name]

    @property
    def names(self) -> list[str]:
        """The names of the events except answers and updates."""
        return [name for name, _ in self.events if name not in ("response", "update")]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition; it is checked after every event, and every 20 ms for what emits no event."""
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self._received.clear()
                try:
                    await asyncio.wait_for(self._received.wait(), 0.02)
                except TimeoutError:
                    pass

    async def wait_for(self, name: str, count: int = 1) -> list[Any]:
        """Wait for `count` events of one name and return the values of all."""
        await self.until(lambda: len(self.of(name)) >= count)
        return self.of(name)


def fast_policies() -> Policies:
    """Return policies with short delays."""
    retry = {"backoff": {"initial": "10ms", "max": "50ms"}}
    return Policies.from_mapping({"policies": {"bitget-ws": {"extends": "bitget-ws", "retry": retry}}})


def client_of(exchange: Sandbox, version: int = 2, **options: Any) -> Any:
    """Return a client of the sandbox."""
    kind = WebsocketClientV2 if version == 2 else WebsocketClientV3
    defaults = {
        "key": exchange.key,
        "secret": exchange.secret,
        "passphrase": exchange.passphrase,
        "policies": fast_policies(),
    }
    return kind(base_url=exchange.ws, **(defaults | options))


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a story and assert that it leaves no task behind."""

    async def checked_story() -> T:
        result = await story
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert left == set(), f"tasks left behind: {left}"
        return result

    return asyncio.run(checked_story())
