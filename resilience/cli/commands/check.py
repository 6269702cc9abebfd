"""Finds mistakes in policy files, code tables and the files of exchanges.

Prints one line per problem: FILE:LINE:COL: path: message. A file without mistakes is checked for settings that have no
effect or are dangerous, which are printed as warnings. Exit code 1 if there is a mistake or a warning.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from ...errors import Problem
from ..terminal import show_json, show_line

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a policy file, a code table, or the file of an exchange"
    )
    parser.add_argument(
        "--format",
        choices=tuple(_PRINTERS),
        default="text",
        help="github prints annotations for a workflow's log; default: text",
    )
    parser.add_argument("--json", action="store_const", dest="format", const="json", help="same as --format json")
    parser.add_argument(
        "--online", action="store_true", help="also ask the store that a policy file shares, whether it is safe to use"
    )


def run(args: argparse.Namespace) -> int:
    """Check the files; 1 if there is a problem, 2 if a file does not exist."""
    missing = [file for file in args.files if not Path(file).exists()]
    for file in missing:
        show_line(f"resilience check: {file}: no such file", out=sys.stderr)
    if missing:
        return 2
    problems = [problem for file in args.files for problem in _problems(file)]
    if args.online:
        problems += [problem for file in args.files for problem in _store_problems(file)]
    problems += _unread_variables(args.files)
    _PRINTERS[args.format](problems)
    if args.format == "text" and not problems:
        print(f"{len(args.files)} file{'s' if len(args.files) > 1 else ''} checked, no problems found")
    return 1 if problems else 0


def _problems(file: str) -> list[Problem]:
    from ...bitget.operations import OPERATIONS
    from ...config.checks.lint import lint
    from ...venues.venue_files import venue_problems

    found = venue_problems(file)
    return lint(file, names=OPERATIONS) if found is None else found


def _store_problems(file: str) -> list[Problem]:
    """Return why the store that a policy file names cannot be used; a file with mistakes is not asked about."""
    from ...config.loading.policy_file import load
    from ...errors import PolicyError
    from ...fleet import store_problem

    try:
        settings = load(file, report=None).shared
    except PolicyError:
        return []
    message = "" if settings is None else store_problem(settings)
    return [Problem(file, 0, 0, "shared.url", message)] if message else []


_READ = {
    "RESILIENCE_POLICIES": "names the policy file",
    "RESILIENCE_ISOLATED": "isolates every policy",
    "RESILIENCE_TOKEN": "is the token that `resilience top` sends",
}
"""The variables that the library reads, and what each does."""


def _unread_variables(files: Sequence[str]) -> list[Problem]:
    """Return a warning for each variable of the environment that has our prefix and that nothing reads."""
    texts = "".join(Path(file).read_text(encoding="utf-8", errors="replace") for file in files if Path(file).is_file())
    names = [name for name in _own_variables() if f"${{{name}" not in texts]
    return [Problem(f"${name}", 0, 0, "", f"warning: nothing reads this variable; {_meant(name)}") for name in names]


def _meant(name: str) -> str:
    near = next(iter(get_close_matches(name, _READ, 1, 0.8)), "RESILIENCE_POLICIES")
    return f"{near} {_READ[near]}"


def _own_variables() -> list[str]:
    return sorted(name for name in os.environ if name.startswith("RESILIENCE_") and name not in _READ)


def _print_text(problems: Sequence[Problem]) -> None:
    for problem in problems:
        show_line(str(problem))


def _print_json(problems: Sequence[Problem]) -> None:
    show_json([{**problem._asdict(), "severity": problem.severity} for problem in problems])


def _print_annotations(problems: Sequence[Problem]) -> None:
    """Print workflow commands, which GitHub shows beside the lines that they name."""
    for problem in problems:
        place = f",line={problem.line},col={problem.column}" if problem.line else ""
        message = f"{problem.path}: {problem.message}" if problem.path else problem.message
        print(f"::{problem.severity} file={_escape(problem.file, ':,')}{place}::{_escape(message)}")


def _escape(text: str, more: str = "") -> str:
    """Percent-encode the characters that would end a workflow command, or a property of it (`more`)."""
    # https://docs.github.com/actions/reference/workflow-commands-for-github-actions: newlines end a command.
    return "".join(f"%{ord(letter):02X}" if letter in f"%\r\n{more}" else letter for letter in text)


_PRINTERS: Mapping[str, Callable[[Sequence[Problem]], None]] = {
    "text": _print_text,
    "json": _print_json,
    "github": _print_annotations,
}
