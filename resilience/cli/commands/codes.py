"""Lists the codes of an API and what they mean.

A row without a category means success.
"""

from __future__ import annotations

import argparse

from ..registries import find_rows, in_scope, load_registry, plain_rule
from ..terminal import show_json, show_table

__all__ = ["add_arguments", "run"]

_COLUMNS = ("code", "names", "category", "executed", "hint", "remedy")
_CATEGORIES = ("retryable", "user_fixable", "fatal")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "search", nargs="*", metavar="WORD", help="only rows with these words, or whose number begins so, such as -20"
    )
    parser.add_argument(
        "--registry", "--venue", default="bitget", metavar="NAME|FILE",
        help="a built-in registry, an exchange, or a .yaml file; default: bitget",
    )  # fmt: skip
    parser.add_argument("--scope", metavar="NAME", help="only the rows of this part of the API, such as usdm")
    parser.add_argument("--category", choices=_CATEGORIES, help="only the rows of this category")
    parser.add_argument("--legacy", action="store_true", help="also the codes that only old tables of the API have")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List the rows that match."""
    table = in_scope(load_registry(args.registry), args.scope)
    rules = [rule for rule in table if args.legacy or not rule.legacy]
    for word in args.search:
        rules = find_rows(rules, word)
    rows = [plain_rule(rule, table) for rule in rules if args.category in (None, rule.category)]
    if args.json:
        show_json(rows)
    else:
        columns = (*_COLUMNS, "scope") if table.references else _COLUMNS
        show_table(columns, [[row[name] for name in columns] for row in rows])
    return 0
