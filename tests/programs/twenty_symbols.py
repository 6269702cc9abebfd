"""A bot that watches twenty symbols through ccxt at once, and trades each of them in a task of its own."""

import asyncio
import json
import os
from typing import Any

import ccxt.async_support as ccxt

from resilience import failure_of, wrap

keys = {name: os.environ[f"EXCHANGE_{name.upper()}"] for name in ("key", "secret", "passphrase")}


async def trade(exchange: Any, symbol: str, failures: list[Any]) -> None:
    """Read the price and place an order; what fails stops this symbol alone."""
    try:
        await exchange.fetch_ticker(symbol)
        order_id = symbol.replace("/", "-")
        await exchange.create_order(symbol, "limit", "buy", 10, 1, {"clientOrderId": order_id})
        await exchange.fetch_time()
    except ccxt.BaseError as error:
        failure = failure_of(error)
        failures.append([symbol, failure.code, failure.executed, failure.remedy])


async def watch_clock(exchange: Any) -> None:
    """Ask for the exchange's clock until the bot stops."""
    while True:
        await exchange.fetch_time()
        await asyncio.sleep(0.01)


async def main() -> None:
    """Run all tasks; the clock's task is cancelled at the end."""
    settings = {"apiKey": keys["key"], "secret": keys["secret"], "password": keys["passphrase"]}
    exchange: Any = wrap(ccxt.bitget({**settings, "options": {"uta": False}}), "bitget")
    exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], os.environ["EXCHANGE_URL"])
    failures: list[Any] = []
    try:
        symbols = [symbol for symbol, market in (await exchange.load_markets()).items() if market["spot"]]
        clock = asyncio.create_task(watch_clock(exchange))
        async with asyncio.TaskGroup() as group:
            for symbol in [*symbols, "NONE/USDT"]:
                group.create_task(trade(exchange, symbol, failures))
        clock.cancel()
        (ended,) = await asyncio.gather(clock, return_exceptions=True)
        print(json.dumps([len(symbols), type(ended).__name__, failures]))
    finally:
        await exchange.close()


if __name__ == "__main__":
    asyncio.run(main())
