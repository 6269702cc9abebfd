"""Counts the `fsync` calls of an order with an outbox, in all and in the thread of the caller, by `strace`.

    python -m benchmarks.outbox_fsyncs [--orders 200] [--write]

Orders are placed through `BitgetClient` on a sandbox in the same process. Only the calls between the first and the last
order are counted: opening and closing the file syncs too.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from .rounds import at_most, parse_options, report, table, target_table

KINDS = {
    "sync, one after the other": ("sync", 1),
    "sync, 8 threads": ("sync", 8),
    "asyncio, one after the other": ("asyncio", 1),
    "asyncio, 8 tasks": ("asyncio", 8),
}
ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc", "size": "50"}
_SYNC = re.compile(r"^(\d+)\s+(?:fsync|fdatasync)\(")
_MARK = re.compile(r"^(\d+)\s+write\(\d+, \"(begin|end) of the orders")


def mark(name: str) -> None:
    """Leave a line in the trace."""
    with open(os.devnull, "wb", buffering=0) as nowhere:
        nowhere.write(f"{name} of the orders".encode())


def place(kind: str, workers: int, orders: int) -> None:
    """Place orders, and mark in the trace where they begin and end."""
    from resilience import Policies, wrap
    from resilience.bitget import AsyncBitgetClient, BitgetClient
    from resilience.config.loading.policy_file import load
    from resilience.outbox import Outbox
    from resilience.sandbox import Sandbox

    with tempfile.TemporaryDirectory() as folder, Sandbox() as exchange, Outbox(Path(folder, "bot.db")) as outbox:
        policies = Policies(load(exchange.policy), log=False)
        make: Any = BitgetClient if kind == "sync" else AsyncBitgetClient
        raw = make(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        client: Any = wrap(raw, "bitget", policies=policies, outbox=outbox)
        if kind == "sync":
            _place_sync(client, workers, orders)
        else:
            asyncio.run(_place_async(client, workers, orders))
        assert len(outbox.rows("done")) == orders + workers


def _place_sync(client: Any, workers: int, orders: int) -> None:
    def work(number: int) -> None:
        for _ in range(number):
            client.spot_place_order(**ORDER)

    def run(number: int) -> None:
        if workers == 1:
            work(number)
            return
        threads = [threading.Thread(target=work, args=(number // workers,)) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    run(workers)  # the first orders load what later ones have
    mark("begin")
    run(orders)
    mark("end")


async def _place_async(client: Any, workers: int, orders: int) -> None:
    async def work(number: int) -> None:
        for _ in range(number):
            await client.spot_place_order(**ORDER)

    await asyncio.gather(*(work(1) for _ in range(workers)))
    mark("begin")
    await asyncio.gather(*(work(orders // workers) for _ in range(workers)))
    mark("end")
    await client.close()


def count(kind: str, workers: int, orders: int) -> dict[str, float]:
    """Return the syncs of an order: all, and those in the thread that began the orders."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace")
        command = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,write", "-o", str(trace)]
        work = [sys.executable, "-m", "benchmarks.outbox_fsyncs", "--place", kind, str(workers), str(orders)]
        subprocess.run([*command, *work], check=True)
        lines = trace.read_text(errors="replace").splitlines()
    marks = [index for index, line in enumerate(lines) if _MARK.match(line)]
    caller = lines[marks[0]].split()[0]
    threads = [match[1] for line in lines[marks[0] : marks[1]] if (match := _SYNC.match(line))]
    return {"all": len(threads) / orders, "caller": threads.count(caller) / orders}


def main() -> None:
    """Count and print the table."""
    options = parse_options(__doc__ or "", orders=200)
    if shutil.which("strace") is None:
        sys.exit("benchmarks.outbox_fsyncs: strace is not installed")
    found = {name: count(kind, workers, options.orders) for name, (kind, workers) in KINDS.items()}
    report(
        "outbox_fsyncs",
        "What an order with an outbox syncs",
        target_table(
            [
                at_most("an order, syncs", 1, round(found["sync, one after the other"]["all"], 1)),
                at_most("an order in asyncio, syncs in the loop's thread", 0, found["asyncio, 8 tasks"]["caller"]),
            ]
        ),
        f"{options.orders} orders each. Every few hundred of them SQLite moves its log into the file: two syncs.",
        table(
            ("", "syncs an order", "in the caller's thread"),
            [(name, f"{row['all']:.2f}", f"{row['caller']:.2f}") for name, row in found.items()],
        ),
        write=options.write,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--place"]:
        place(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
