"""`resilience check`: every mistake of policy files, and what they say and cannot do, a line each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import Problem
from ..terminal import show_json

__all__ = ["register", "run"]


def register(subparsers: Any) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "check",
        help="look for mistakes in policy files",
        description=(
            "Prints one line a problem: FILE:LINE:COL: path: message. A file without mistakes is looked through for "
            "settings that cannot do what they say: warnings. Exit code 1 when there is any of either."
        ),
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a policy file, or a code table")
    parser.add_argument(
        "--format", choices=tuple(_SHOW), default="text", help="github prints annotations for a workflow's log"
    )
    parser.add_argument("--json", action="store_const", dest="format", const="json", help="the same as --format json")


def run(args: argparse.Namespace) -> int:
    """Check the files and return 1 when there is a problem, 2 when a file is not there."""
    from ...bitget.operations import OPERATIONS
    from ...config.checks.lint import lint

    missing = [one for one in args.files if not Path(one).exists()]
    for one in missing:
        print(f"resilience check: {one}: no such file", file=sys.stderr)
    if missing:
        return 2
    problems = [problem for one in args.files for problem in lint(one, names=OPERATIONS)]
    _SHOW[args.format](problems)
    if args.format == "text" and not problems:
        print(f"{len(args.files)} file{'s' if len(args.files) > 1 else ''} checked: no problem")
    return 1 if problems else 0


def _text(problems: Sequence[Problem]) -> None:
    for problem in problems:
        print(problem)


def _json(problems: Sequence[Problem]) -> None:
    show_json([{**problem._asdict(), "severity": problem.severity} for problem in problems])


def _github(problems: Sequence[Problem]) -> None:
    """Print workflow commands, which GitHub shows beside the lines that they name."""
    for problem in problems:
        place = f",line={problem.line},col={problem.column}" if problem.line else ""
        said = f"{problem.path}: {problem.message}" if problem.path else problem.message
        print(f"::{problem.severity} file={_escaped(problem.file, ':,')}{place}::{_escaped(said)}")


def _escaped(text: str, more: str = "") -> str:
    """Write the characters that end a workflow command, or a part of it, by their codes."""
    return "".join(f"%{ord(one):02X}" if one in f"%\r\n{more}" else one for one in text)


_SHOW: Mapping[str, Callable[[Sequence[Problem]], None]] = {"text": _text, "json": _json, "github": _github}
