"""A client of the sandbox's sockets whose every event is kept, and waits for what a test needs to have happened."""

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
ENOUGH = 20.0  # seconds after which a condition that does not come fails its test


class EventLog:
    """Every event of a client, in order."""

    def __init__(self, client: StreamClient) -> None:
        self.events: list[tuple[str, Any]] = []
        self._came = asyncio.Event()
        for name in EVENTS:
            client.on(name, lambda value, name=name: self._take(name, value))

    def _take(self, name: str, value: Any) -> None:
        self.events.append((name, value))
        self._came.set()

    def of(self, name: str) -> list[Any]:
        """Return the values of the events of one name."""
        return [value for told, value in self.events if told == name]

    @property
    def names(self) -> list[str]:
        """The names of the events, answers and updates left out."""
        return [name for name, _ in self.events if name not in ("response", "update")]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition: looked at after every event, and now and then for what has no event."""
        async with asyncio.timeout(ENOUGH):
            while not condition():
                self._came.clear()
                try:
                    await asyncio.wait_for(self._came.wait(), 0.02)
                except TimeoutError:
                    pass

    async def came(self, name: str, count: int = 1) -> list[Any]:
        """Wait for events of one name and return their values."""
        await self.until(lambda: len(self.of(name)) >= count)
        return self.of(name)


def quick() -> Policies:
    """Return policies whose delays are short."""
    retry = {"backoff": {"initial": "10ms", "max": "50ms"}}
    return Policies.from_mapping({"policies": {"bitget-ws": {"extends": "bitget-ws", "retry": retry}}})


def client_of(exchange: Sandbox, version: int = 2, **options: Any) -> Any:
    """Return a client of the sandbox."""
    kind = WebsocketClientV2 if version == 2 else WebsocketClientV3
    told = {"key": exchange.key, "secret": exchange.secret, "passphrase": exchange.passphrase, "policies": quick()}
    return kind(base_url=exchange.ws, **(told | options))


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a story and see to it that it leaves no task behind."""

    async def told() -> T:
        result = await story
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert left == set(), f"tasks left behind: {left}"
        return result

    return asyncio.run(told())
