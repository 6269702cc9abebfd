"""Describes, for each exchange that the sandbox speaks, how ccxt's own class is used to look an order up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from resilience.sandbox import Sandbox

SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"


class Lookup(NamedTuple):
    """How an order is looked up by its client id.

    Attributes:
        method: the implicit method of ccxt.
        params: its parameters but the client id.
        key, found_key: the name of the client id, as a parameter and in the order that is found.
    """

    method: str
    params: Mapping[str, str]
    key: str
    found_key: str


LOOKUPS = {
    ("binance", SPOT): Lookup("privateGetOrder", {"symbol": "BTCUSDT"}, "origClientOrderId", "clientOrderId"),
    ("binance", SWAP): Lookup("fapiPrivateGetOrder", {"symbol": "BTCUSDT"}, "origClientOrderId", "clientOrderId"),
    ("bybit", SPOT): Lookup(
        "privateGetV5OrderRealtime", {"category": "spot", "symbol": "BTCUSDT"}, "orderLinkId", "orderLinkId"
    ),
    ("bybit", SWAP): Lookup(
        "privateGetV5OrderRealtime", {"category": "linear", "symbol": "BTCUSDT"}, "orderLinkId", "orderLinkId"
    ),
    ("okx", SPOT): Lookup("privateGetTradeOrder", {"instId": "BTC-USDT"}, "clOrdId", "clOrdId"),
    ("okx", SWAP): Lookup("privateGetTradeOrder", {"instId": "BTC-USDT-SWAP"}, "clOrdId", "clOrdId"),
}
"""The lookup of each market that is spoken."""


class Caller:
    """Calls the methods of one of ccxt's exchanges, whether they are coroutines or not."""

    def __init__(self, exchange: Any, runner: asyncio.Runner | None) -> None:
        self.exchange, self._runner = exchange, runner

    def __call__(self, method: str, *args: Any) -> Any:
        """Call a method by its name."""
        answer = getattr(self.exchange, method)(*args)
        if self._runner is None or not isinstance(answer, Awaitable):
            return answer

        async def wait() -> Any:
            return await answer

        return self._runner.run(wait())


@contextmanager
def trading(venue: str, kind: str = "sync", **settings: Any) -> Iterator[tuple[Sandbox, Caller]]:
    """Run a sandbox of a venue, and ccxt's own class for it, with its URLs pointed there."""
    with Sandbox(venue=venue, **{"limits": False, **settings}) as exchange:
        cls = getattr(import_module("ccxt" if kind == "sync" else "ccxt.async_support"), venue)
        bot = exchange.point(cls({"enableRateLimit": False}))
        if kind == "sync":
            yield exchange, Caller(bot, None)
            return
        # asyncio.Runner cannot run a call inside a loop, so each call is a run of its own.
        with asyncio.Runner() as runner:
            call = Caller(bot, runner)
            yield exchange, call
            call("close")


def look_up(call: Caller, venue: str, symbol: str, client_id: str) -> list[Mapping[str, Any]]:
    """Return the orders that the venue's own lookup finds; an error that says "not found" is an empty list."""
    lookup = LOOKUPS[venue, symbol]
    try:
        answer = call(lookup.method, {**lookup.params, lookup.key: client_id})
    except import_module("ccxt").OrderNotFound:
        return []
    rows = answer.get("data", answer) if "result" not in answer else answer["result"]["list"]
    return rows if isinstance(rows, list) else [rows]


def executions(exchange: Sandbox) -> dict[str, int]:
    """Return how often each client id was executed."""
    return {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}
