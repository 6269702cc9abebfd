"""A bot on uvloop that places orders, reads, and ends its waiting calls when it is stopped."""

import asyncio
import json
import os

import uvloop

from resilience import failure_of, resilient, wrap
from resilience.bitget import AsyncBitgetClient

keys = [os.environ[f"EXCHANGE_{name}"] for name in ("KEY", "SECRET", "PASSPHRASE")]


async def place(client: AsyncBitgetClient, number: int) -> dict[str, object]:
    """Place one order."""
    order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "0.001" if number == 0 else "10"}
    try:
        placed = await client.spot_place_order(**order, clientOid=f"uv-{number}")
    except Exception as error:
        failure = failure_of(error)
        return {"number": number, "code": failure.code, "executed": failure.executed, "remedy": failure.remedy}
    return {"number": number, "exchange_id": placed["orderId"]}


@resilient(idempotent=True)
async def read_closed_port() -> None:
    """Connect to a port where nobody listens."""
    await asyncio.open_connection("127.0.0.1", 1)


@resilient(idempotent=True)
async def wait_forever() -> None:
    """Wait for something that never comes."""
    await asyncio.sleep(3600)


async def main() -> None:
    """Place the orders; show a refused connection; stop a call from outside."""
    async with wrap(AsyncBitgetClient(*keys, base_url=os.environ["EXCHANGE_URL"]), "bitget") as client:
        for placed in asyncio.as_completed([place(client, number) for number in range(20)]):
            print(json.dumps(await placed))
    try:
        await read_closed_port()
    except OSError as error:
        failure = failure_of(error)
        print(json.dumps([failure.category, failure.executed, failure.attempts]))
    try:
        async with asyncio.timeout(0.05):
            await wait_forever()
    except TimeoutError:
        print(json.dumps("given up"))
    task = asyncio.create_task(wait_forever())
    await asyncio.sleep(0)
    task.cancel()
    (ended,) = await asyncio.gather(task, return_exceptions=True)
    print(json.dumps([type(asyncio.get_running_loop()).__module__, type(ended).__name__]))


if __name__ == "__main__":
    uvloop.run(main())
