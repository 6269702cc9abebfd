"""Orders over the socket, while it and REST break at random, held against the exchange's ledger.

    python -m benchmarks.socket_orders [--orders 300] [--seed 7] [--write]

Which fault comes with which order is drawn from (seed, order); which frame it meets is chance, since
orders are under way side by side.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from resilience import Policies, failure_of
from resilience.bitget import AsyncBitgetClient, WebsocketClientV2, WebsocketClientV3
from resilience.config.loading.policy_file import load
from resilience.sandbox import Sandbox
from resilience.sandbox.exchange.faults import seeded_fraction
from resilience.sandbox.order_drill import DrillCounts, compare

from .rounds import options, report, table

__all__ = ["FAULTS", "ROWS", "Row", "drill"]

WINDOW, WORKERS, PACE = 1.0, 16, 20.0
RELOADED = 25  # orders between two reloads of the policies
FAULTS = (
    "trade_lost", "trade_lost", "trade_unseen", "trade_unseen", "trade_error:40725", "trade_error:25001",
    "trade_error:25003", "trade_error:30004", "drop", "close:1012", "half_open", "no_pong", "upgrade", "expire",
    "error:30007", "error:30006", "error:30004", "malformed", "binary",
)  # fmt: skip
"""What happens to the private connections, as often each; twice what spoils a trade frame itself."""
NEXT = ("refuse", "drop@login", "reject_login:30014:close", "half_open@login")
"""What the next connection may meet."""
QUERIES = {"query_drop": 0.1, "query_500": 0.1, "query_stale": 0.2}
"""What the looks meet, by REST."""
POLICIES = """  bitget-ws:
    extends: bitget-ws
    retry: {{backoff: {{initial: 12ms, max: {longest}ms}}}}
    breaker: {{open_for: 250ms, open_max: 1s}}
  drill: {{extends: bitget, budget: off}}
"""
"""Delays of the streams that suit the pace, another one after every reload; orders may be tried again freely."""
COLUMNS = ("duplicates", "lost", "misreported", "unknown", "exactly_once", "seconds")


class Row(NamedTuple):
    """One drill: the version of the sockets, the market, and by how many seconds the exchange's clock is ahead."""

    version: int
    market: str
    ahead: float = 0.0


ROWS = (Row(2, "spot"), Row(2, "mix"), Row(3, "spot"), Row(2, "spot", 20.0), Row(3, "mix", -20.0))


class Seen(NamedTuple):
    """What came of a drill: the count, the faults that came, and the connections that were made."""

    count: DrillCounts
    faults: Counter[str]
    connects: int


def drill(row: Row, orders: int, seed: int, workers: int = WORKERS) -> Seen:
    """Place each order once over the socket, under faults, and hold what was reported against the ledger."""
    with _exchange(row, seed) as exchange:
        started, faults = time.monotonic(), Counter[str]()
        reports = asyncio.run(_placed(exchange, row, orders, seed, workers, faults))
        seconds = time.monotonic() - started
        exchange.settle()
        executions = {one["clientOid"]: one["executions"] for one in exchange.ledger()["orders"]}
        count = compare(reports, executions, requests=exchange.requests, seconds=seconds)
        return Seen(count, faults, exchange.sockets.connects)


@contextmanager
def _exchange(row: Row, seed: int) -> Iterator[Sandbox]:
    unified = row.version == 3
    with Sandbox(window=WINDOW, seed=seed, limits=False, unified=unified, pace=PACE, faults=QUERIES) as sandbox:
        sandbox.clock_offset = row.ahead
        yield sandbox


async def _placed(
    exchange: Sandbox, row: Row, orders: int, seed: int, workers: int, faults: Counter[str]
) -> dict[str, str]:
    """Place the orders from so many tasks at the same time."""
    reports: dict[str, str] = {}
    left = iter(range(orders))
    policies = Policies(load(_written(exchange, 0)), log=False)
    made = WebsocketClientV2 if row.version == 2 else WebsocketClientV3
    keys = exchange.key, exchange.secret, exchange.passphrase
    async with AsyncExitStack() as stack:
        rest = await stack.enter_async_context(AsyncBitgetClient(*keys, base_url=exchange.rest, timeout=0.5))
        told: dict[str, Any] = {
            "base_url": exchange.ws,
            "policies": policies,
            "rest": rest,
            "pace": PACE,
            "orders": "drill",
        }
        client = await stack.enter_async_context(made(*keys, **told))

        async def worker() -> None:
            for number in left:
                faults.update(_break(exchange, seed, number))
                if number % RELOADED == 0:
                    _written(exchange, number)
                    policies.reload()
                key = f"s{seed}-{number}"
                try:
                    answer = await client.place_order(**_order(row, number, key))
                    reports[key] = "done" if answer["clientOid"] == key else "failed"
                except Exception as error:
                    reports[key] = "unknown" if failure_of(error).executed == "maybe" else "failed"

        await asyncio.gather(*(worker() for _ in range(workers)))
    return reports


def _written(exchange: Sandbox, number: int) -> str:
    """Write the policies that hold from this order on: the sandbox's, and one for streams at the sandbox's pace."""
    file = Path(exchange.policy)
    given, _, _ = file.read_text(encoding="utf-8").partition("  bitget-ws:\n")
    file.write_text(given + POLICIES.format(longest=50 + number), encoding="utf-8")
    return exchange.policy


def _break(exchange: Sandbox, seed: int, number: int) -> Iterator[str]:
    """Let the fault of this order happen, and return what happened."""
    chance = seeded_fraction(seed, "socket", number)
    if chance < 0.05:
        name = NEXT[int(chance / 0.05 * len(NEXT))]
        exchange.sockets.script(name)
        yield f"next: {name}"
    elif chance < 0.5:
        name = FAULTS[int((chance - 0.05) / 0.45 * len(FAULTS))]
        if exchange.sockets.fault(name):
            yield name


def _order(row: Row, number: int, key: str) -> dict[str, str]:
    """Return one order: three in four fill at once, so that their keys protect nothing."""
    limit = number % 4 == 3
    common = {"side": "buy", "orderType": "limit" if limit else "market", "clientOid": key}
    price = {"price": "50000"} if limit else {}
    size = "0.01" if limit or row.market == "mix" else "50"
    mix = {"marginMode": "crossed", "marginCoin": "USDT"}
    if row.version == 3:
        category = "spot" if row.market == "spot" else "usdt-futures"
        return {"category": category, "symbol": "BTCUSDT", "qty": size, **common, **price}
    product = {"instType": "SPOT"} if row.market == "spot" else {"instType": "USDT-FUTURES", **mix}
    return {**product, "instId": "BTCUSDT", "size": size, "force": "gtc", **common, **price}


WHAT = """{orders} orders a row, {workers} at a time, seed {seed}, one run; a stamp window of {window:g} s. With
every second order something happens to the private connections that are open (*faults* counts those that met one):
{faults}; or to the next connection: {next}. Of the looks by REST 20 % fail and 20 % are answered from the past; other
policies are loaded after every {reloaded} orders. *ahead*: by how many seconds the exchange's clock differs from ours.
What the other columns mean: `resilience.sandbox.order_drill.DrillCounts`."""


def main() -> None:
    """Run the drills and print the table."""
    given = options(__doc__ or "", orders=300, seed=7)
    rows = []
    for row in ROWS:
        seen = drill(row, given.orders, given.seed)
        figures = [f"{getattr(seen.count, column):g}" for column in COLUMNS]
        rows.append([f"V{row.version}", row.market, f"{row.ahead:g}", seen.faults.total(), seen.connects, *figures])
        print(" | ".join(map(str, rows[-1])), flush=True)
    told = {"orders": f"{given.orders:,}", "workers": WORKERS, "seed": given.seed, "window": WINDOW}
    told |= {"faults": ", ".join(dict.fromkeys(FAULTS)), "next": ", ".join(NEXT), "reloaded": RELOADED}
    header = ("sockets", "market", "ahead", "faults", "connections", *COLUMNS)
    text = fill(WHAT.format(**told), 130, break_on_hyphens=False)
    report("socket_orders", "Orders over a socket that breaks", text, table(header, rows), write=given.write)


if __name__ == "__main__":
    main()
