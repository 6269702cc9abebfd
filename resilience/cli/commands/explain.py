"""Says what an error means, whether to send the request again, and what the policy would do.

Explains a code, a JSON body, the text of an error, a traceback or a line of the log. Nothing is sent.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..error_input import parse_error_input
from ..explanation import explain
from ..first_answers import answer_style, first_answers, unknown_word
from ..policy_files import read_policies
from ..terminal import show_json, show_table, show_text

__all__ = ["add_arguments", "run"]

_NOT_IN_THE_TABLE = ("schedule", "meanings", "known", "near", "remedy")  # other parts of the output say these
_MAX_INPUT = 1_000_000  # characters read from standard input


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("error", metavar="CODE|BODY|TRACEBACK|LINE|-", help="- reads standard input")
    parser.add_argument(
        "--registry",
        "--venue",
        metavar="NAME|FILE",
        help="the registry of the code: an exchange, another API, or a file",
    )
    parser.add_argument("--scope", metavar="NAME", help="the part of the API that was asked, such as usdm")
    parser.add_argument(
        "--policy", metavar="NAME", help="the policy that decides; default: the registry's own, or default"
    )
    parser.add_argument("--policies", metavar="FILE", help="a policy file; default: the built-in policies")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Explain one error."""
    from ...config.loading.builtin_policies import builtin

    text = sys.stdin.read(_MAX_INPUT) if args.error == "-" else args.error
    if not text.strip():
        print("resilience explain: nothing to explain; give a code, a body or the text of an error", file=sys.stderr)
        return 2
    policies = read_policies(args.policies) if args.policies else builtin()
    if args.scope and not args.registry:
        print("resilience explain: --scope is a part of an API: give --registry or --venue too", file=sys.stderr)
        return 2
    error = parse_error_input(text)
    explanation = explain(error, policies, policy=args.policy, registry=args.registry, scope=args.scope)
    if args.json:
        again, what = first_answers(explanation).values()
        show_json({"send_again": again, "what_to_do": what, **explanation})
    else:
        _print_answers(explanation, args.registry)
        _print_table(explanation)
    return 0


def _print_answers(explanation: dict[str, Any], registry: str | None) -> None:
    if unknown := unknown_word(explanation, registry):
        show_text(unknown, style="bold yellow")
    for question, answer in first_answers(explanation).items():
        show_text(f"{question} {answer}", hang=2, style=answer_style(answer))
    print()


def _print_table(explanation: dict[str, Any]) -> None:
    rows = [
        (name, value)
        for name, value in explanation.items()
        if name not in _NOT_IN_THE_TABLE and value not in (None, "", [], "none")
    ]
    if explanation["category"] is None:
        rows.insert(0, ("category", "success"))
    show_table(("what", "value"), [(name, _cell(name, value)) for name, value in rows])
    if explanation["meanings"]:
        print()
        columns = ("scope", "category", "executed", "remedy")
        show_table(columns, [[row[name] for name in columns] for row in explanation["meanings"]])
    if explanation["schedule"]:
        print()
        waits = [
            (wait["attempt"], f"{wait['at_least']:g} s", f"{wait['at_most']:g} s") for wait in explanation["schedule"]
        ]
        show_table(("attempt", "waits at least", "at most"), waits)


def _cell(name: str, value: Any) -> object:
    return f"{value:g} s" if name == "retry_after" else value
