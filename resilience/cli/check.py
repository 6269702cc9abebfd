"""`resilience check`: every mistake of policy files, a line each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .show import show_json

__all__ = ["register", "run"]


def register(subparsers: Any) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "check",
        help="look for mistakes in policy files",
        description="Prints one line a problem: FILE:LINE:COL: path: message. Exit code 1 when there is any.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a policy file")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Check the files and return 1 when there is a problem, 2 when a file is not there."""
    import sys

    from ..config.load import lint

    missing = [one for one in args.files if not Path(one).exists()]
    for one in missing:
        print(f"resilience check: {one}: no such file", file=sys.stderr)
    if missing:
        return 2
    problems = [problem for one in args.files for problem in lint(one)]
    if args.json:
        show_json([problem._asdict() for problem in problems])
    else:
        for problem in problems:
            print(problem)
        if not problems:
            print(f"{len(args.files)} file{'s' if len(args.files) > 1 else ''} checked: no problem")
    return 1 if problems else 0
