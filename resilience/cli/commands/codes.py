"""`resilience codes`: the rows of a registry, for people and for programs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..terminal import show_json, show_table

if TYPE_CHECKING:
    from ..._core.policy.codes import CodeTable, Rule

__all__ = ["load_registry", "register", "row", "run"]

_COLUMNS = ("code", "names", "category", "executed", "hint", "remedy")
_CATEGORIES = ("retryable", "user_fixable", "fatal")


def register(subparsers: Any) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "codes",
        help="list the codes of an API and what they mean",
        description="List the codes of a registry. Rows without a category mean success.",
    )
    parser.add_argument(
        "--registry", default="bitget", metavar="NAME|FILE", help="a built-in one or a file; default: bitget"
    )
    parser.add_argument("--category", choices=_CATEGORIES, help="only the rows of this category")
    parser.add_argument("--legacy", action="store_true", help="also the codes that stand only in old tables of the API")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List the rows that match."""
    rows = [row(rule) for rule in load_registry(args.registry) if args.legacy or not rule.legacy]
    if args.category:
        rows = [one for one in rows if one["category"] == args.category]
    if args.json:
        show_json(rows)
    else:
        show_table(_COLUMNS, [[one[name] for name in _COLUMNS] for one in rows])
    return 0


def row(rule: Rule) -> dict[str, Any]:
    """Return a rule as the JSON of this command has it."""
    return {
        "code": rule.code,
        "names": list(rule.names),
        "category": rule.category and str(rule.category),
        "executed": rule.executed,
        "hint": rule.hint,
        "remedy": rule.remedy,
    }


def load_registry(name: str) -> CodeTable:
    """Return a built-in registry, or the one that a file describes.

    Raises:
        PolicyError: there is no such registry, or the file has mistakes.
    """
    from ...config.codes.code_tables import CodeRegistry, builtin_names
    from ...errors import PolicyError

    if name in builtin_names():
        return CodeRegistry.builtin(name)
    if name.endswith((".yaml", ".yml")):
        return CodeRegistry.load(name)
    raise PolicyError(
        f"unknown registry {name!r}; there are {', '.join(sorted(builtin_names()))}, or give a .yaml file"
    )
