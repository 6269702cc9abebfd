"""Places orders over a socket while it and REST fail at random, and compares the reports with the exchange's ledger.

    python -m benchmarks.socket_orders [--orders 300] [--seed 7] [--write]

Which fault comes with which order is drawn from (seed, order). Which frame it affects is not reproducible, since orders
are placed at the same time.
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

from .rounds import parse_options, report, table

__all__ = ["FAULTS", "ROWS", "DrillResult", "Row", "drill"]

WINDOW, WORKERS, PACE = 1.0, 16, 20.0
RELOAD_EVERY = 25  # orders between two reloads of the policies
FAULTS = (
    "trade_lost", "trade_lost", "trade_unseen", "trade_unseen", "trade_error:40725", "trade_error:25001",
    "trade_error:25003", "trade_error:30004", "drop", "close:1012", "half_open", "no_pong", "upgrade", "expire",
    "error:30007", "error:30006", "error:30004", "malformed", "binary",
)  # fmt: skip
"""The faults of the private connections, equally likely; those of a trade frame itself are listed twice."""
NEXT = ("refuse", "drop@login", "reject_login:30014:close", "half_open@login")
"""The possible faults of the next connection."""
QUERIES = {"query_drop": 0.1, "query_500": 0.1, "query_stale": 0.2}
"""The faults of the lookups over REST."""
POLICIES = """  bitget-ws:
    extends: bitget-ws
    retry: {{backoff: {{initial: 12ms, max: {longest}ms}}}}
    breaker: {{open_for: 250ms, open_max: 1s}}
  drill: {{extends: bitget, budget: off}}
"""
"""Policies with delays that suit the pace, different after every reload, and without a retry budget for orders."""
COLUMNS = ("duplicates", "lost", "misreported", "unknown", "exactly_once", "seconds")


class Row(NamedTuple):
    """One drill: the version of the sockets, the market, and by how many seconds the exchange's clock is ahead."""

    version: int
    market: str
    ahead: float = 0.0


ROWS = (Row(2, "spot"), Row(2, "mix"), Row(3, "spot"), Row(2, "spot", 20.0), Row(3, "mix", -20.0))


class DrillResult(NamedTuple):
    """The result of a drill: its counts, the faults that happened, and the number of connections."""

    counts: DrillCounts
    faults: Counter[str]
    connects: int


def drill(row: Row, orders: int, seed: int, workers: int = WORKERS) -> DrillResult:
    """Place each order once over the socket, under faults, and compare the reports with the ledger."""
    with _exchange(row, seed) as exchange:
        started, faults = time.monotonic(), Counter[str]()
        reports = asyncio.run(_place_orders(exchange, row, orders, seed, workers, faults))
        seconds = time.monotonic() - started
        exchange.settle()
        executions = {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}
        counts = compare(reports, executions, requests=exchange.requests, seconds=seconds)
        return DrillResult(counts, faults, exchange.sockets.connects)


@contextmanager
def _exchange(row: Row, seed: int) -> Iterator[Sandbox]:
    unified = row.version == 3
    with Sandbox(window=WINDOW, seed=seed, limits=False, unified=unified, pace=PACE, faults=QUERIES) as sandbox:
        sandbox.clock_offset = row.ahead
        yield sandbox


async def _place_orders(
    exchange: Sandbox, row: Row, orders: int, seed: int, workers: int, faults: Counter[str]
) -> dict[str, str]:
    """Place the orders from `workers` tasks at the same time."""
    reports: dict[str, str] = {}
    left = iter(range(orders))
    policies = Policies(load(_write_policies(exchange, 0)), log=False)
    client_class = WebsocketClientV2 if row.version == 2 else WebsocketClientV3
    keys = exchange.key, exchange.secret, exchange.passphrase
    async with AsyncExitStack() as stack:
        rest = await stack.enter_async_context(AsyncBitgetClient(*keys, base_url=exchange.rest, timeout=0.5))
        settings: dict[str, Any] = {
            "base_url": exchange.ws,
            "policies": policies,
            "rest": rest,
            "pace": PACE,
            "orders": "drill",
        }
        client = await stack.enter_async_context(client_class(*keys, **settings))

        async def worker() -> None:
            for number in left:
                faults.update(_break(exchange, seed, number))
                if number % RELOAD_EVERY == 0:
                    _write_policies(exchange, number)
                    policies.reload()
                key = f"s{seed}-{number}"
                try:
                    answer = await client.place_order(**_order(row, number, key))
                    reports[key] = "done" if answer["clientOid"] == key else "failed"
                except Exception as error:
                    reports[key] = "unknown" if failure_of(error).executed == "maybe" else "failed"

        await asyncio.gather(*(worker() for _ in range(workers)))
    return reports


def _write_policies(exchange: Sandbox, number: int) -> str:
    """Write the policies from this order on: the sandbox's, and one for streams at the sandbox's pace."""
    file = Path(exchange.policy)
    base, _, _ = file.read_text(encoding="utf-8").partition("  bitget-ws:\n")
    file.write_text(base + POLICIES.format(longest=50 + number), encoding="utf-8")
    return exchange.policy


def _break(exchange: Sandbox, seed: int, number: int) -> Iterator[str]:
    """Apply the fault that was drawn for this order, and yield its name if it happened."""
    draw = seeded_fraction(seed, "socket", number)
    if draw < 0.05:
        name = NEXT[int(draw / 0.05 * len(NEXT))]
        exchange.sockets.script(name)
        yield f"next: {name}"
    elif draw < 0.5:
        name = FAULTS[int((draw - 0.05) / 0.45 * len(FAULTS))]
        if exchange.sockets.fault(name):
            yield name


def _order(row: Row, number: int, key: str) -> dict[str, str]:
    """Return the parameters of one order; three in four fill at once, so their keys do not prevent duplicates."""
    limit = number % 4 == 3
    common = {"side": "buy", "orderType": "limit" if limit else "market", "clientOid": key}
    price = {"price": "50000"} if limit else {}
    size = "0.01" if limit or row.market == "mix" else "50"
    margin = {"marginMode": "crossed", "marginCoin": "USDT"}
    if row.version == 3:
        category = "spot" if row.market == "spot" else "usdt-futures"
        return {"category": category, "symbol": "BTCUSDT", "qty": size, **common, **price}
    product = {"instType": "SPOT"} if row.market == "spot" else {"instType": "USDT-FUTURES", **margin}
    return {**product, "instId": "BTCUSDT", "size": size, "force": "gtc", **common, **price}


WHAT = """{orders} orders per row, {workers} at a time, seed {seed}, one run; a timestamp window of {window:g} s. Every
second order comes with a fault of the open private connections (*faults* counts those that happened): {faults}; or of
the next connection: {next}. Of the lookups over REST 20 % fail and 20 % get outdated answers; changed policies are
loaded after every {reload_every} orders. *ahead*: by how many seconds the exchange's clock is ahead of ours. The other
columns are those of `resilience.sandbox.order_drill.DrillCounts`."""


def main() -> None:
    """Run the drills and print the table."""
    options = parse_options(__doc__ or "", orders=300, seed=7)
    rows = []
    for row in ROWS:
        result = drill(row, options.orders, options.seed)
        figures = [f"{getattr(result.counts, column):g}" for column in COLUMNS]
        rows.append([f"V{row.version}", row.market, f"{row.ahead:g}", result.faults.total(), result.connects, *figures])
        print(" | ".join(map(str, rows[-1])), flush=True)
    values = {"orders": f"{options.orders:,}", "workers": WORKERS, "seed": options.seed, "window": WINDOW}
    values |= {"faults": ", ".join(dict.fromkeys(FAULTS)), "next": ", ".join(NEXT), "reload_every": RELOAD_EVERY}
    header = ("sockets", "market", "ahead", "faults", "connections", *COLUMNS)
    text = fill(WHAT.format(**values), 130, break_on_hyphens=False)
    report("socket_orders", "Orders over a socket that breaks", text, table(header, rows), write=options.write)


if __name__ == "__main__":
    main()
