"""Lists the codes of an API and what they mean.

A row without a category means success.
"""

from __future__ import annotations

import argparse

from ..registries import load_registry, plain_rule
from ..terminal import show_json, show_table

__all__ = ["add_arguments", "run"]

_COLUMNS = ("code", "names", "category", "executed", "hint", "remedy")
_CATEGORIES = ("retryable", "user_fixable", "fatal")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--registry", default="bitget", metavar="NAME|FILE", help="a built-in registry or a .yaml file; default: bitget"
    )
    parser.add_argument("--category", choices=_CATEGORIES, help="only the rows of this category")
    parser.add_argument("--legacy", action="store_true", help="also the codes that only old tables of the API have")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List the rows that match."""
    rows = [plain_rule(rule) for rule in load_registry(args.registry) if args.legacy or not rule.legacy]
    if args.category:
        rows = [row for row in rows if row["category"] == args.category]
    if args.json:
        show_json(rows)
    else:
        show_table(_COLUMNS, [[row[name] for name in _COLUMNS] for row in rows])
    return 0
