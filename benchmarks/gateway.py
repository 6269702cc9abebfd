"""Places orders through every client behind a gateway that answers for itself, and compares reports with executions.

    python -m benchmarks.gateway [--orders 50] [--clients a,b] [--kinds x,y] [--seed 7] [--json]

The gateway has 24 kinds of answers. Without a reconciler it has passed every order on before it answers. With one it
keeps one order in five back, some twice, so that orders must be sent again; the lookups lag by up to L. The exit status
is 1 if any order was executed twice, is missing, or was reported wrongly.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import Any
from urllib.request import urlopen

from .gateway_clients import GatewayClient, Site
from .gateway_kinds import GROUPS, KINDS
from .gateway_orders import key_for
from .gateway_reports import COLUMNS, count, is_wrong, report_of
from .gateway_venues import CLIENTS

__all__ = ["drill", "place_orders"]

WORKERS = 128
Figures = Mapping[str, Counter[str]]


@contextmanager
def gateway(seed: int) -> Iterator[Site]:
    """Run the gateway in another process."""
    command = [sys.executable, "-m", "benchmarks.gateway_server", "--seed", str(seed)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Site(**json.loads(process.stdout.readline()))
    finally:
        process.communicate("")


def drill(client: GatewayClient, site: Site, kinds: Sequence[str], orders: int, seed: int) -> Figures:
    """Place the orders of all kinds at the same time, each kind by a client of its own, and count by kind."""
    # In turn, so that the kinds take about the same time.
    wanted = [
        (kind, key_for(kind, number, seed, some_stop=site.reconciled)) for number in range(orders) for kind in kinds
    ]
    _get(site, "reset")
    reports = place_orders(client, site, wanted)
    executions = _get(site, "executions")
    return {
        kind: count(
            kind,
            {key: reports[key] for one, key in wanted if one == kind},
            executions,
            reconciled=site.reconciled,
        )
        for kind in kinds
    }


def place_orders(client: GatewayClient, site: Site, wanted: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Place orders, given by their kind and key, at the same time; return what was reported of each key."""
    return (_tasks if client.asynchronous else _threads)(client, site, wanted)


def _get(site: Site, path: str) -> Any:
    with urlopen(f"{site.url}/{path}", timeout=30) as answer:
        return json.load(answer)


def _threads(client: GatewayClient, site: Site, wanted: Sequence[tuple[str, str]]) -> dict[str, str]:
    with ExitStack() as stack, ThreadPoolExecutor(WORKERS) as pool:
        senders = {kind: client.build(site, stack) for kind in dict.fromkeys(kind for kind, _ in wanted)}

        def place(order: tuple[str, str]) -> tuple[str, str]:
            kind, key = order
            return key, report_of(_outcome(senders[kind], key), key)

        return dict(pool.map(place, wanted))


def _outcome(send: Callable[[str], Any], key: str) -> Any:
    try:
        return send(key)
    except Exception as error:
        return error


def _tasks(client: GatewayClient, site: Site, wanted: Sequence[tuple[str, str]]) -> dict[str, str]:
    return asyncio.run(_place_all(client, site, wanted))


async def _place_all(client: GatewayClient, site: Site, wanted: Sequence[tuple[str, str]]) -> dict[str, str]:
    reports: dict[str, str] = {}
    left = iter(wanted)
    async with AsyncExitStack() as stack:
        senders = {kind: await client.build(site, stack) for kind in dict.fromkeys(kind for kind, _ in wanted)}

        async def worker() -> None:
            for kind, key in left:
                try:
                    outcome = await senders[kind](key)
                except Exception as error:
                    outcome = error
                reports[key] = report_of(outcome, key)

        await asyncio.gather(*(worker() for _ in range(WORKERS)))
    await asyncio.sleep(0.05)  # aiohttp closes its sockets after the session says that it is closed
    return reports


def _rows(figures: Figures, *, by_kind: bool) -> Iterator[tuple[str, Counter[str]]]:
    if by_kind:
        yield from figures.items()
        return
    for group, kinds in GROUPS.items():
        chosen = [figures[kind] for kind in kinds if kind in figures]
        if chosen:
            yield group, sum(chosen, Counter())


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, default=50, metavar="N", help="orders for each client and kind (50)")
    parser.add_argument("--clients", default="", metavar="A,B", help=f"some of: {', '.join(c.name for c in CLIENTS)}")
    parser.add_argument("--kinds", default="", metavar="X,Y", help=f"some of: {', '.join(KINDS)}")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="seed of the delays (7)")
    parser.add_argument("--each", action="store_true", help="a row for each kind, not for each group")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    options.clients = options.clients.split(",") if options.clients else [client.name for client in CLIENTS]
    options.kinds = options.kinds.split(",") if options.kinds else list(KINDS)
    unknown = {*options.clients} - {client.name for client in CLIENTS} | {*options.kinds} - {*KINDS}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


def main() -> int:
    """Print each row as soon as it is known; return 1 if one is wrong."""
    options, rows, total, wrong = _parse(), [], Counter[str](), 0
    if not options.json:
        print("| client | reconciler | answers | orders | " + " | ".join(COLUMNS) + " | seconds |")
        print("|---|---|---|---:|" + "---:|" * len(COLUMNS) + "---:|")
    with gateway(options.seed) as site:
        for reconciled in (True, False):
            for client in CLIENTS:
                if client.name not in options.clients or (client.needs_reconciler and not reconciled):
                    continue
                started = time.monotonic()
                figures = drill(
                    client, site._replace(reconciled=reconciled), options.kinds, options.orders, options.seed
                )
                seconds = round(time.monotonic() - started, 1)
                for name, row in _rows(figures, by_kind=options.each or options.json):
                    total += row
                    wrong += is_wrong(row, reconciled=reconciled)
                    counts = {column: row[column] for column in COLUMNS}
                    rows.append({"client": client.name, "reconciler": reconciled, "answers": name, **counts})
                    if not options.json:
                        orders = row["done"] + row["no"] + row["unknown"] + row["foreign"]
                        cells = [client.name, "yes" if reconciled else "no", name, orders, *counts.values(), seconds]
                        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        print(f"| total | | | | {' | '.join(str(total[column]) for column in COLUMNS)} | |")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
