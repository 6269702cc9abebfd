"""Orders through every client, plain and ours, under the same faults, counted by the exchange's ledger.

    python -m benchmarks.orders [--orders 2000] [--mixes ordinary harsh] [--clients TEXT] [--seed 7] [--json]

The exchange runs in a process of its own with a stamp window of 1 s, so that fences are short. Which
fault meets which attempt is drawn from (seed, client id, attempt): every client meets the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import asdict
from typing import Any
from urllib.request import Request, urlopen

from resilience import failure_of
from resilience.sandbox.exchange.faults import NAMED_RATES
from resilience.sandbox.order_drill import DrillCounts, compare

from .clients import OURS, PLAIN, Client
from .exchange import Exchange
from .plain_http import StatusError

Begin = Callable[[], None]
Spread = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
WINDOW = 1.0
WORKERS = 32
COLUMNS = ("requests", "duplicates", "lost", "misreported", "unknown", "exactly_once", "seconds")


@contextmanager
def exchange(seed: int, window: float = WINDOW) -> Iterator[Exchange]:
    """Run the sandbox in a process of its own; limits are off, since the drills are about faults."""
    command = [sys.executable, "-m", "resilience", "sandbox", "--json", "--window", f"{window:g}s", "--limits", "off"]
    process = subprocess.Popen([*command, "--seed", str(seed)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        names = ("rest", "key", "secret", "passphrase", "policy")
        yield Exchange(**{name: told[name] for name in names}, window=window)
    finally:
        process.terminate()
        process.wait()


def drill(
    at: Exchange, client: Client, market: str, faults: Mapping[str, float], ids: Sequence[str], seed: int
) -> DrillCounts:
    """Place every order once through the client and hold what it reported against the ledger."""
    asked(at, "/sandbox/reset", {})
    asked(at, "/sandbox/faults", {"seed": seed, "rates": {}})
    started = time.monotonic()

    def begin() -> None:
        asked(at, "/sandbox/faults", {"seed": seed, "rates": dict(faults)})

    reports = _RUN[client.colour](client, at, market, ids, seed, begin)
    seconds = time.monotonic() - started
    time.sleep(1.2 * at.window + 0.5)  # what is under way arrives, or never does
    asked(at, "/sandbox/faults", {"seed": seed, "rates": {}})
    ledger = asked(at, "/sandbox/ledger")
    executions = {row["clientOid"]: row["executions"] for row in ledger["orders"]}
    return compare(reports, executions, requests=int(asked(at, "/sandbox/status")["requests"]), seconds=seconds)


def asked(at: Exchange, path: str, body: Any = None) -> Any:
    """Ask the sandbox's own controls."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(at.rest + path, data=data), timeout=30) as answer:
        return json.load(answer)


def _threads(client: Client, at: Exchange, market: str, ids: Sequence[str], seed: int, begin: Begin) -> Any:
    with ExitStack() as stack, ThreadPoolExecutor(WORKERS) as pool:
        send = client.build(at, market, seed, stack)
        begin()

        def one(client_id: str) -> str:
            try:
                send(client_id)
            except Exception as error:
                return reported(client, error)
            return "done"

        return dict(zip(ids, pool.map(one, ids), strict=True))


async def _all(
    client: Client, at: Exchange, market: str, ids: Sequence[str], seed: int, begin: Begin, spread: Spread
) -> Any:
    """Place the orders from `WORKERS` tasks, under whichever event loop runs."""
    reports: dict[str, str] = {}
    left = iter(ids)
    async with AsyncExitStack() as stack:
        send = await client.build(at, market, seed, stack)
        begin()

        async def worker() -> None:
            for client_id in left:
                try:
                    await send(client_id)
                    reports[client_id] = "done"
                except Exception as error:
                    reports[client_id] = reported(client, error)

        await spread(worker)
    return reports


def _asyncio(*given: Any) -> Any:
    async def spread(worker: Any) -> None:
        await asyncio.gather(*(worker() for _ in range(WORKERS)))

    return asyncio.run(_all(*given, spread))


def _trio(*given: Any) -> Any:
    import trio

    async def spread(worker: Any) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(WORKERS):
                nursery.start_soon(worker)

    return trio.run(_all, *given, spread)


_RUN: Mapping[str, Callable[..., Any]] = {"threads": _threads, "asyncio": _asyncio, "trio": _trio}


def reported(client: Client, error: Exception) -> str:
    """Return what a caller takes an error for: only ours tells that it does not know."""
    told = error.answer if isinstance(error, StatusError) else error
    return "unknown" if client.ours and failure_of(told).executed == "maybe" else "failed"


def main() -> None:
    """Print the table, a row as soon as it is there."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--orders", type=int, default=2000)
    options.add_argument("--mixes", nargs="+", choices=sorted(NAMED_RATES), default=["ordinary", "harsh"])
    options.add_argument("--clients", default="", help="only those whose name holds this text")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    rows = []
    if not given.json:
        print("| client | market | faults | " + " | ".join(COLUMNS) + " |")
        print("|---|---|---|" + "---:|" * len(COLUMNS))
    with exchange(given.seed) as at:
        for mix in given.mixes:
            for client in (*PLAIN, *OURS):
                for market in client.markets if given.clients in client.name else ():
                    ids = [f"o{given.seed}-{number}" for number in range(given.orders)]
                    count = asdict(drill(at, client, market, NAMED_RATES[mix], ids, given.seed))
                    name = f"**{client.name}**" if client.ours else client.name
                    rows.append({"client": client.name, "ours": client.ours, "market": market, "faults": mix, **count})
                    if not given.json:
                        told = " | ".join(f"{count[column]:g}" for column in COLUMNS)
                        print(f"| {name} | {market} | {mix} | {told} |", flush=True)
    if given.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
