"""Lists the codes of an API and what they mean.

A row without a category means success. In a pipe the columns are separated by tabs.
"""

from __future__ import annotations

import argparse
import sys

from ..registries import find_rows, in_scope, load_registry, plain_rule
from ..terminal import show_json, show_rows, show_text

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
        show_rows(columns, [[row[name] for name in columns] for row in rows])
        if not rows:
            show_text(f"resilience codes: {_why_none(args)}", out=sys.stderr)
    return 0


def _why_none(args: argparse.Namespace) -> str:
    wanted = " and ".join(filter(None, (" ".join(args.search), args.category and f"the category {args.category}")))
    more = "" if args.legacy else "; --legacy searches old tables too"
    return f"no row of {args.registry} has {wanted}{more}" if wanted else f"{args.registry} has no rows{more}"
