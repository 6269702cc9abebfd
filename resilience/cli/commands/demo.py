"""`resilience demo`: orders on a loopback exchange that misbehaves, with plain retries and with this library."""

from __future__ import annotations

import argparse
from dataclasses import asdict, fields
from typing import Any

from ..terminal import progress_bar, show_json, show_table

__all__ = ["register", "run"]

_WINDOW = 1.0  # seconds for which the exchange accepts a stamp; a real one's 30 would make the demo long


def register(subparsers: Any) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "demo",
        help="place orders on a loopback exchange with and without this library",
        description="Places the same orders through a client with plain retries and through a wrapped one, under the "
        "same faults, and counts what the exchange's own ledger says.",
    )
    parser.add_argument("--orders", type=_count, default=200, metavar="N", help="orders for each client (200)")
    parser.add_argument("--seed", type=int, default=7, metavar="S", help="seed of the client ids and the faults (7)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Run the demo and print its table; 1 when the wrapped client was not exact."""
    from ...sandbox import Sandbox
    from ...sandbox.order_drill import CLIENTS, DrillCounts, drill

    with Sandbox(seed=args.seed, window=_WINDOW, faults="ordinary", limits=False) as exchange:
        counts: dict[str, DrillCounts] = {}
        for name in CLIENTS:
            with progress_bar(f"{name:>9}", args.orders) as tick:
                counts[name] = drill(name, exchange, orders=args.orders, seed=args.seed, tick=tick)
    clients = {name: asdict(count) for name, count in counts.items()}
    if args.json:
        show_json({"orders": args.orders, "seed": args.seed, "clients": clients})
    else:
        columns = ["client", *(field.name.replace("_", " ") for field in fields(DrillCounts))]
        title = f"{args.orders} orders each, under the same faults (seed {args.seed})"
        show_table(columns, [[name, *count.values()] for name, count in clients.items()], title=title)
        print("\nduplicates: executed more than once; lost: never executed; misreported: the client said otherwise.")
    wrong = counts["resilient"]
    return 1 if wrong.duplicates or wrong.lost or wrong.misreported else 0


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 100_000:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 100000, got {text!r}")
    return number
