"""Shows what is known of each exchange: which orders are looked up, within which bounds, and what is not established.

Without an ID it prints the table of all exchanges.
"""

from __future__ import annotations

import argparse

from ..terminal import show_json, show_table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("id", nargs="?", metavar="ID", help="one exchange, by ccxt's id of it")
    parser.add_argument("--markdown", action="store_true", help="print Markdown, as the documentation has it")
    parser.add_argument("--json", action="store_true", help="print JSON; durations are seconds")


def run(args: argparse.Namespace) -> int:
    """Show one exchange, or all."""
    from ...venues import venue, venue_ids
    from ...venues.venue_report import COLUMNS, fact_rows, markdown_table, order_rows, plain_venue

    ids = [args.id] if args.id else venue_ids()
    venues = list({one.id: one for one in map(venue, ids)}.values())
    if args.json:
        plain = [plain_venue(one) for one in venues]
        show_json(plain[0] if args.id else plain)
    elif args.markdown:
        print(markdown_table(venues), end="")
    elif args.id:
        show_table(("what", "known"), [list(row) for row in fact_rows(venues[0])])
    else:
        show_table(COLUMNS, [row for one in venues for row in order_rows(one)])
    return 0
