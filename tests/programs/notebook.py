"""Cells of a notebook, each after a line `# %%`: the loop of Jupyter runs already, and cells await in it."""

# ruff: noqa: B018, E402, F704, PLE1142
# %%
import os

from resilience import failure_of, resilient, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient

keys = [os.environ[f"EXCHANGE_{name}"] for name in ("KEY", "SECRET", "PASSPHRASE")]
client = wrap(AsyncBitgetClient(*keys, base_url=os.environ["EXCHANGE_URL"]), "bitget")
order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "10"}

# %%
import asyncio

placed = await asyncio.gather(*[client.spot_place_order(**order, clientOid=f"cell-{number}") for number in range(6)])
[row["clientOid"] for row in placed]

# %%
try:
    await client.spot_place_order(**order | {"size": "0.001"})
except Exception as error:
    seen = failure_of(error)
[seen.code, seen.executed, seen.remedy]

# %%
sync_client = wrap(BitgetClient(*keys, base_url=os.environ["EXCHANGE_URL"]), "bitget")
sync_client.spot_place_order(**order, clientOid="sync")["clientOid"]

# %%
seen_attempts = []


@resilient(idempotent=True)
async def fetch() -> int:
    """Fail once."""
    seen_attempts.append(1)
    if len(seen_attempts) < 2:
        raise ConnectionRefusedError("not yet")
    return len(seen_attempts)


await fetch()

# %%
import nest_asyncio

nest_asyncio.apply()
asyncio.run(client.spot_place_order(**order, clientOid="nested"))["clientOid"]

# %%
await client.close()
