"""A loop inside a loop, as in a notebook: `nest_asyncio` lets sync code run coroutines while their loop runs."""

import asyncio
import json
import os
from typing import Any

import nest_asyncio

from resilience import failure_of, resilient, wrap
from resilience.bitget import AsyncBitgetClient

keys = [os.environ[f"EXCHANGE_{name}"] for name in ("KEY", "SECRET", "PASSPHRASE")]


@resilient("bitget", operation="strategy", idempotent=False)
async def strategy(client: AsyncBitgetClient, number: int) -> Any:
    """Place an order from sync code that is called by async code, under a policy of its own."""

    def place() -> Any:
        order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "10"}
        return asyncio.get_event_loop().run_until_complete(
            client.spot_place_order(**order, clientOid=f"nested-{number}")
        )

    return place()


@resilient(idempotent=True)
async def fetch(number: int) -> int:
    """Fail once, and wait in between: other loops run inside this wait."""
    seen[number] = seen.get(number, 0) + 1
    if seen[number] < 2:
        raise ConnectionRefusedError("not yet")
    return number


seen: dict[int, int] = {}


async def main() -> None:
    """Place orders in nested runs, side by side."""
    nest_asyncio.apply()
    async with wrap(AsyncBitgetClient(*keys, base_url=os.environ["EXCHANGE_URL"]), "bitget") as client:
        for placed in await asyncio.gather(*[strategy(client, number) for number in range(6)]):
            print(json.dumps(placed["clientOid"]))
        try:
            asyncio.run(client.spot_place_order(symbol="BTCUSDT", side="buy", orderType="market", size="0.001"))
        except Exception as error:
            failure = failure_of(error)
            print(json.dumps([failure.code, failure.executed, failure.remedy]))
    both = await asyncio.gather(fetch(1), asyncio.to_thread(lambda: asyncio.run(fetch(2))))
    print(json.dumps([both, asyncio.run(fetch(3)), seen]))


if __name__ == "__main__":
    asyncio.run(main())
