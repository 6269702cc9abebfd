"""Places orders on a loopback exchange with and without this library.

The same orders go through a client with plain retries and through a wrapped client, under the same faults. Orders,
faults and duplicates are counted while it runs, and the exchange's own ledger counts the results. Exit code 1 if the
wrapped client duplicated, lost or misreported an order.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..terminal import live_counts, show_json, show_table, show_text

if TYPE_CHECKING:
    from ...sandbox import Sandbox
    from ...sandbox.order_drill import DrillCounts

__all__ = ["add_arguments", "run"]

_WINDOW = 1.0  # seconds for which the exchange accepts a timestamp; with a real one's 30 the demo would take minutes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--orders", type=_order_count, default=200, metavar="N", help="orders per client; default: 200")
    parser.add_argument(
        "--seed", type=int, default=7, metavar="S", help="seed of the client ids and the faults; default: 7"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Run the demo and print its table."""
    from ...sandbox import Sandbox
    from ...sandbox.order_drill import CLIENTS

    with Sandbox(seed=args.seed, window=_WINDOW, faults="ordinary", limits=False) as exchange:
        counts: dict[str, DrillCounts] = {}
        for name in CLIENTS:
            counts[name] = _drill(name, exchange, args.orders, args.seed)
    clients = {name: asdict(count) for name, count in counts.items()}
    resilient = counts["resilient"]
    kept = not (resilient.duplicates or resilient.lost or resilient.misreported)
    if args.json:
        show_json({"orders": args.orders, "seed": args.seed, "clients": clients})
    else:
        _show_counts(clients, f"{args.orders} orders per client, under the same faults (seed {args.seed})")
        print()
        show_text(_conclusion(counts["plain"], resilient, args.orders), style="bold green" if kept else "bold red")
    return 0 if kept else 1


def _drill(name: str, exchange: Sandbox, orders: int, seed: int) -> DrillCounts:
    """Place the orders through one client, and show the counts meanwhile."""
    from ...sandbox.order_drill import drill

    done = 0

    def line() -> str:
        faults, duplicates = exchange.faults.count, exchange.exchange.orders.duplicates
        return f"{name:<9} {done:>{len(str(orders))}}/{orders} orders: {duplicates} duplicates, {faults} faults"

    def count() -> None:
        nonlocal done
        done += 1
        changed()

    with live_counts(line) as changed:
        return drill(name, exchange, orders=orders, seed=seed, tick=count)


def _conclusion(plain: DrillCounts, resilient: DrillCounts, orders: int) -> str:
    """Return the sentence to remember."""
    if resilient.duplicates or resilient.lost or resilient.misreported:
        return "The wrapped client did not keep its promise. This is a bug: please report it with the seed."
    ours = "executed each of them exactly once"
    if resilient.unknown:
        ours = f"executed none of them twice and reported {resilient.unknown} as unknown"
    return f"Plain retries executed {plain.duplicates} of {orders} orders more than once, and resilience {ours}."


def _order_count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 100_000:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 100000, got {text!r}")
    return number


def _show_counts(clients: Mapping[str, Mapping[str, Any]], title: str) -> None:
    columns = ["client", *(name.replace("_", " ") for name in next(iter(clients.values())))]
    show_table(columns, [[name, *count.values()] for name, count in clients.items()], title=title)
    print()
    show_text(
        "duplicates: executed more than once. lost: never executed. misreported: the client reported another "
        "outcome than the ledger has. unknown: reported as unknown."
    )
