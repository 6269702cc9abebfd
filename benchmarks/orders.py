"""Places orders through every client under the same faults and compares the reports with the exchange's ledger.

    python -m benchmarks.orders [--orders 2000] [--mixes ordinary harsh] [--clients TEXT] [--seed 7] [--json]

The exchange runs in another process with a timestamp window of 1 s, so that fences are short. The faults depend on
(seed, client id, attempt) alone, so they are the same for every client.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import asdict
from typing import Any
from urllib.request import Request, urlopen

from resilience import failure_of
from resilience.sandbox.exchange.faults import NAMED_RATES
from resilience.sandbox.order_drill import DrillCounts, compare

from .clients import OURS, PLAIN, Client
from .plain_http import StatusError
from .sandbox_address import SandboxAddress

Begin = Callable[[], None]
RunWorkers = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
WINDOW = 1.0
WORKERS = 32
COLUMNS = ("requests", "duplicates", "lost", "misreported", "unknown", "exactly_once", "seconds")


@contextmanager
def exchange(seed: int, window: float = WINDOW, venue: str = "bitget") -> Iterator[SandboxAddress]:
    """Run the sandbox in another process, without rate limits: the drills are about faults."""
    command = [sys.executable, "-m", "resilience", "sandbox", "--json", "--window", f"{window:g}s", "--limits", "off"]
    command += ["--seed", str(seed), "--venue", venue]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            access = json.loads(process.stdout.readline())
            names = ("rest", "key", "secret", "passphrase", "policy", "venue", "urls")
            yield SandboxAddress(**{name: access[name] for name in names}, window=window)
        finally:
            process.terminate()


def placed_orders(ledger: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how often each client id was executed, from the rows of the ledger."""
    return {row["clientOid"]: row["executions"] for row in ledger}


def drill(
    address: SandboxAddress,
    client: Client,
    market: str,
    faults: Mapping[str, float],
    ids: Sequence[str],
    seed: int,
    executions: Callable[[Iterable[Mapping[str, Any]]], Mapping[str, int]] = placed_orders,
) -> DrillCounts:
    """Send the write of every id once through the client and hold what it reported against the ledger.

    Args:
        address: the sandbox.
        client: builds what sends the writes.
        market: where it trades.
        faults: the rates of the faults.
        ids: the client ids.
        seed: of the faults.
        executions: returns how often each write was executed, from the rows of the ledger.
    """
    # Without faults until `begin`: building a client may send requests, such as ccxt's load_markets.
    control(address, "/sandbox/reset", {})
    control(address, "/sandbox/faults", {"seed": seed, "rates": {}})
    started = time.monotonic()

    def begin() -> None:
        control(address, "/sandbox/faults", {"seed": seed, "rates": dict(faults)})

    reports = _RUN[client.runtime](client, address, market, ids, seed, begin)
    seconds = time.monotonic() - started
    # W + P is 1.1 windows; after it no delayed request can be accepted any more.
    time.sleep(1.2 * address.window + 0.5)  # delayed requests are delivered by then, or never
    control(address, "/sandbox/faults", {"seed": seed, "rates": {}})
    ledger = control(address, "/sandbox/ledger")
    return compare(
        reports,
        executions(ledger["orders"]),
        requests=int(control(address, "/sandbox/status")["requests"]),
        seconds=seconds,
    )


def control(address: SandboxAddress, path: str, body: Any = None) -> Any:
    """Send a request to the sandbox's own controls and return its answer."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(address.rest + path, data=data), timeout=30) as answer:
        return json.load(answer)


def _threads(client: Client, address: SandboxAddress, market: str, ids: Sequence[str], seed: int, begin: Begin) -> Any:
    with ExitStack() as stack, ThreadPoolExecutor(WORKERS) as pool:
        place = client.build(address, market, seed, stack)
        begin()

        def place_order(client_id: str) -> str:
            try:
                place(client_id)
            except Exception as error:
                return report_of(client, error)
            return "done"

        return dict(zip(ids, pool.map(place_order, ids), strict=True))


async def _place_all(
    client: Client,
    address: SandboxAddress,
    market: str,
    ids: Sequence[str],
    seed: int,
    begin: Begin,
    run_workers: RunWorkers,
) -> Any:
    """Place the orders from `WORKERS` tasks, on asyncio or trio."""
    reports: dict[str, str] = {}
    # One iterator for all workers: each order is taken once, and a slow one delays one worker alone.
    left = iter(ids)
    async with AsyncExitStack() as stack:
        place = await client.build(address, market, seed, stack)
        begin()

        async def worker() -> None:
            for client_id in left:
                try:
                    await place(client_id)
                    reports[client_id] = "done"
                except Exception as error:
                    reports[client_id] = report_of(client, error)

        await run_workers(worker)
    return reports


def _asyncio(*arguments: Any) -> Any:
    async def run_workers(worker: Any) -> None:
        await asyncio.gather(*(worker() for _ in range(WORKERS)))

    return asyncio.run(_place_all(*arguments, run_workers))


def _trio(*arguments: Any) -> Any:
    import trio

    async def run_workers(worker: Any) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(WORKERS):
                nursery.start_soon(worker)

    return trio.run(_place_all, *arguments, run_workers)


_RUN: Mapping[str, Callable[..., Any]] = {"threads": _threads, "asyncio": _asyncio, "trio": _trio}


def report_of(client: Client, error: Exception) -> str:
    """Return the caller's view of an error; only our clients can say that the outcome is unknown."""
    cause = error.answer if isinstance(error, StatusError) else error
    return "unknown" if client.ours and failure_of(cause).executed == "maybe" else "failed"


def main() -> None:
    """Print each row of the table as soon as it is finished."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, default=2000, metavar="N", help="orders for each client (2000)")
    parser.add_argument(
        "--mixes", nargs="+", choices=sorted(NAMED_RATES), default=["ordinary", "harsh"], help="the faults"
    )
    parser.add_argument("--clients", default="", help="only clients whose name contains this text")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="seed of the faults (7)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    rows = []
    if not options.json:
        print("| client | market | faults | " + " | ".join(COLUMNS) + " |")
        print("|---|---|---|" + "---:|" * len(COLUMNS))
    with exchange(options.seed) as address:
        for faults in options.mixes:
            for client in (*PLAIN, *OURS):
                for market in client.markets if options.clients in client.name else ():
                    ids = [f"o{options.seed}-{number}" for number in range(options.orders)]
                    rates = NAMED_RATES[faults]
                    count = asdict(drill(address, client, market, rates, ids, options.seed))
                    name = f"**{client.name}**" if client.ours else client.name
                    row = {"client": client.name, "ours": client.ours, "market": market, "faults": faults}
                    rows.append({**row, **count})
                    if not options.json:
                        figures = " | ".join(f"{count[column]:g}" for column in COLUMNS)
                        print(f"| {name} | {market} | {faults} | {figures} |", flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
