"""Places, amends and cancels orders of every venue through ccxt, and compares the reports with the sandbox's ledger.

    python -m benchmarks.venues [--orders 2000] [--venue okx] [--faults harsh] [--jobs 2] [--seed 7] [--write]

For each venue: ccxt's sync and async classes, spot and swap, market and limit orders, amendments and cancels, ordinary
and harsh faults. The writes of a venue are split over all of these rows, and each is sent twice: by a wrapped exchange,
and by a plain one with tenacity's retries. Each venue has a sandbox in another process, whose times are scaled to a
window of 1 s. The exit status is 1 if a write of a wrapped exchange was executed twice, not at all, or was reported
wrongly.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import NamedTuple

from resilience.sandbox.dialects import DIALECTS
from resilience.sandbox.exchange.faults import NAMED_RATES
from resilience.sandbox.order_drill import DrillCounts

from .orders import WINDOW, WORKERS, drill, exchange
from .venue_clients import client_of
from .venue_writes import KINDS, SYMBOLS, counted

__all__ = ["DrillCounts", "Row", "is_wrong", "report", "run_venue"]

RESULTS = Path(__file__).parent / "results" / "venues.md"
COLUMNS = ("duplicates", "lost", "misreported", "unknown", "exactly_once", "requests")
MIXES = ("ordinary", "harsh")
SITUATIONS = tuple(product(("sync", "async"), SYMBOLS, KINDS))


class Row(NamedTuple):
    """What a wrapped and a plain exchange did with the same writes in one situation."""

    venue: str
    calls: str
    market: str
    kind: str
    faults: str
    orders: int
    ours: DrillCounts
    plain: DrillCounts


def run_venue(venue: str, orders: int, mixes: Sequence[str], seed: int) -> list[Row]:
    """Send the writes of one venue, split over all rows; print each row to stderr as soon as it is finished."""
    situations = [(mix, *situation) for mix in mixes for situation in SITUATIONS]
    rows = []
    with exchange(seed, WINDOW, venue) as address:
        for number, (mix, calls, market, kind) in enumerate(situations):
            amount = orders * (number + 1) // len(situations) - orders * number // len(situations)
            if not amount:
                continue
            # Letters and digits alone, which every venue takes.
            ids = [f"o{seed}r{number}n{order}" for order in range(amount)]
            ours, plain = (
                drill(
                    address,
                    client_of(calls, kind, ids, ours=is_ours),
                    market,
                    NAMED_RATES[mix],
                    ids,
                    seed,
                    executions=partial(counted, kind, ids),
                )
                for is_ours in (True, False)
            )
            rows.append(Row(venue, calls, market, kind, mix, amount, ours, plain))
            print(_line(rows[-1][:5], amount, rows[-1:]), file=sys.stderr, flush=True)
    return rows


def is_wrong(row: Row) -> bool:
    """Return whether a write of the wrapped exchange was executed twice, not at all, or was reported wrongly."""
    return bool(row.ours.duplicates or row.ours.lost or row.ours.misreported)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the table: in each cell the figure of the wrapped exchange and that of the plain one."""
    yield "| venue | ccxt | market | write | faults | sent | " + " | ".join(COLUMNS) + " |"
    yield "|---|---|---|---|---|---:|" + "---:|" * len(COLUMNS)
    for row in rows:
        yield _line(row[:5], row.orders, [row])
    for venue, mix in dict.fromkeys((row.venue, row.faults) for row in rows):
        chosen = [row for row in rows if (row.venue, row.faults) == (venue, mix)]
        yield _line((venue, "all", "", "", mix), sum(row.orders for row in chosen), chosen)
    yield _line(("all", "", "", "", ""), sum(row.orders for row in rows), rows)


def _line(names: Sequence[str], placed: int, rows: Sequence[Row]) -> str:
    cells = [
        f"**{sum(getattr(row.ours, column) for row in rows)}** / {sum(getattr(row.plain, column) for row in rows)}"
        for column in COLUMNS
    ]
    return "| " + " | ".join((*names, str(placed), *cells)) + " |"


def report(rows: Sequence[Row], command: str, seed: int) -> str:
    """Return the page of results."""
    placed = {venue: sum(row.orders for row in rows if row.venue == venue) for venue in (row.venue for row in rows)}
    counts = ", ".join(f"{number:,} of {venue}" for venue, number in placed.items())
    machine = f"CPython {platform.python_version()}, {sys.platform}, {platform.machine()}"
    lines = [
        "# Orders of every venue through ccxt",
        "",
        f"`{command}` on {machine}; ccxt {version('ccxt')}, tenacity {version('tenacity')}.",
        f"Writes of this run, each sent by a wrapped and by a plain exchange: {counts}. `market` and `limit` place",
        "orders; `amend` and `cancel` change orders that were placed before the faults began.",
        f"{WORKERS} at a time, seed {seed}. Each sandbox runs in a process of its own, with a window of {WINDOW:g} s.",
        "",
        "In each cell the wrapped exchange comes first, in bold; after it plain ccxt with tenacity (five attempts, any",
        "exception, exponential backoff with jitter). Both meet the same faults. The columns are those of",
        "`resilience.sandbox.order_drill.DrillCounts`; requests include those that load the markets. The last rows are",
        "sums.",
        "",
        *table(rows),
    ]
    return "\n".join(lines) + "\n"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, default=2000, metavar="N", help="writes of each venue (2000)")
    parser.add_argument("--venue", action="append", choices=DIALECTS, metavar="ID", help="this venue; may be repeated")
    parser.add_argument("--faults", action="append", choices=MIXES, metavar="MIX", help="ordinary or harsh; both")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="venues at the same time (2)")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="seed of the faults (7)")
    parser.add_argument("--write", action="store_true", help=f"write benchmarks/results/{RESULTS.name}")
    options = parser.parse_args()
    if options.orders < 1 or options.jobs < 1:
        parser.error("--orders and --jobs: expected a number above 0")
    return options


def main() -> int:
    """Print the table; return 1 if a row of ours is wrong."""
    options = _parse()
    venues, mixes = options.venue or list(DIALECTS), options.faults or MIXES
    # A fresh interpreter for each process: ccxt's clients and the threads of one are no business of another.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(options.jobs, len(venues)), mp_context=spawn) as pool:
        runs = [pool.submit(run_venue, venue, options.orders, mixes, options.seed) for venue in venues]
        rows = [row for run in runs for row in run.result()]
    print("\n".join(table(rows)))
    if options.write:
        command = " ".join(("python -m benchmarks.venues", *sys.argv[1:]))
        RESULTS.write_text(report(rows, command, options.seed), encoding="utf-8")
    return 1 if any(map(is_wrong, rows)) else 0


if __name__ == "__main__":
    sys.exit(main())
