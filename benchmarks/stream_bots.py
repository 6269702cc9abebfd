"""Two bots with the same subscriptions: one with this library's client, one with a plain reconnect loop.

Both record the updates of orders that they receive, to be compared with the exchange's own state.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

from websockets.asyncio.client import connect
from websockets.client import backoff
from websockets.exceptions import ConnectionClosed

from resilience import Policies
from resilience.bitget import BitgetClient, WebsocketClientV2, WebsocketClientV3
from resilience.config.loading.policy_file import from_mapping
from resilience.sandbox import Sandbox

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


@dataclass
class Received:
    """What one bot received.

    Attributes:
        ends: the final status of each order, by client id.
        fetched: how many final statuses came over REST.
        fed: updates of feeds, by arg and number.
        errors: errors by category or code.
    """

    ends: dict[str, str] = field(default_factory=dict)
    fetched: int = 0
    fed: set[tuple[str, int]] = field(default_factory=set)
    errors: Counter[str] = field(default_factory=Counter)

    def update(self, frame: dict[str, Any]) -> None:
        """Record a frame."""
        for row in frame.get("data", ()):
            status = row.get("orderStatus") or row.get("status") or row.get("state")
            if status is None:
                self.fed.add((str(frame["arg"]), row.get("seq", 0)))
            elif status not in ("live", "new") and row["clientOid"] not in self.ends:
                self.ends[row["clientOid"]] = status
                self.fetched += frame.get("action") == "missed"


class Bot(Protocol):
    """A bot that runs until it is closed."""

    received: Received

    async def start(self) -> None:
        """Start."""

    async def close(self) -> None:
        """Stop, and leave nothing behind."""


def public(version: str) -> list[dict[str, Any]]:
    """Return the public subscriptions of every bot."""
    if version == "v3":
        args = [{"instType": "spot", "topic": "ticker", "symbol": symbol} for symbol in SYMBOLS]
        return [*args, {"instType": "spot", "topic": "books", "symbol": "BTCUSDT"}]
    args = [{"instType": "SPOT", "channel": "ticker", "instId": symbol} for symbol in SYMBOLS]
    return [*args, {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}]


def private(version: str) -> list[dict[str, Any]]:
    """Return the private subscriptions of every bot."""
    if version == "v3":
        return [{"instType": "UTA", "topic": "order"}, {"instType": "UTA", "topic": "account"}]
    orders = [{"instType": kind, "channel": "orders", "instId": "default"} for kind in ("SPOT", "USDT-FUTURES")]
    return [*orders, {"instType": "SPOT", "channel": "account", "coin": "default"}]


class Ours:
    """A bot with this library's client, under the policy `bitget-ws` at the exchange's pace."""

    def __init__(self, exchange: Sandbox, version: str, pace: float, policies: Policies) -> None:
        self.received = Received()
        keys = exchange.key, exchange.secret, exchange.passphrase
        self._rest = BitgetClient(*keys, base_url=exchange.rest)
        kind = WebsocketClientV3 if version == "v3" else WebsocketClientV2
        self._client = kind(*keys, base_url=exchange.ws, policy="soak", policies=policies, rest=self._rest, pace=pace)
        self._client.on("update", self.received.update)
        self._client.on("exception", lambda failure: self.received.errors.update([str(failure.category)]))
        self._args = public(version) + private(version)

    async def start(self) -> None:
        self._client.subscribe(*self._args)

    async def close(self) -> None:
        await self._client.close()
        self._rest.close()


class Plain:
    """A bot with `async for websocket in connect(...)`: log in, subscribe, ping every 30 s, and again after each end.

    It skips frames that it cannot parse, and closes a connection whose login is refused, so that the next one tries
    again. Its waits are scaled by the pace too.
    """

    def __init__(self, exchange: Sandbox, version: str, pace: float, policies: Policies) -> None:
        del policies  # unused
        self.received = Received()
        self._exchange, self._pace = exchange, pace
        self._paths = {
            f"/{version}/ws/public": public(version),
            f"/{version}/ws/private": private(version),
        }
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run(path, args)) for path, args in self._paths.items()]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, path: str, args: list[dict[str, Any]]) -> None:
        wait = 20 / self._pace  # the default interval and timeout of WebSocket pings
        connects = connect(
            self._exchange.ws + path,
            ping_interval=wait,
            ping_timeout=wait,
            close_timeout=10 / self._pace,
            proxy=None,
            reconnect_delays=lambda: (delay / self._pace for delay in backoff()),
        )
        async for websocket in connects:
            with contextlib.suppress(ConnectionClosed):
                if path.endswith("private") and not await self._logged_in(websocket):
                    await websocket.close()
                    continue
                await websocket.send(json.dumps({"op": "subscribe", "args": args}))
                pinging = asyncio.create_task(self._ping(websocket))
                try:
                    async for frame in websocket:
                        self._read(frame)
                finally:
                    pinging.cancel()

    async def _logged_in(self, websocket: Any) -> bool:
        exchange, stamp = self._exchange, str(int(time.time()))
        digest = hmac.digest(exchange.secret.encode(), f"{stamp}GET/user/verify".encode(), "sha256")
        sign = base64.b64encode(digest).decode()
        login = {"apiKey": exchange.key, "passphrase": exchange.passphrase, "timestamp": stamp, "sign": sign}
        await websocket.send(json.dumps({"op": "login", "args": [login]}))
        answer = await websocket.recv()
        return '"event":"login"' in str(answer)

    async def _ping(self, websocket: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(30 / self._pace)
                await websocket.send("ping")

    def _read(self, frame: str | bytes) -> None:
        with contextlib.suppress(ValueError):
            message = json.loads(frame)
            if message.get("event") == "error":
                self.received.errors.update([str(message["code"])])
            else:
                self.received.update(message)


def scaled(pace: float) -> Policies:
    """Return the policy `bitget-ws` with its waits divided by the pace; the client scales the limits itself.

    Bots that share these policies share the limit on new connections too.
    """
    backoff = {"initial": f"{250 / pace}ms", "max": f"{20_000 / pace}ms"}
    breaker = {"open_for": f"{5_000 / pace}ms", "open_max": f"{20_000 / pace}ms"}
    budget = {"floor": f"{10 * pace}/s"}
    soak = {"extends": "bitget-ws", "retry": {"backoff": backoff}, "breaker": breaker, "budget": budget}
    return Policies(from_mapping({"version": 1, "policies": {"soak": soak}}), log=False)
