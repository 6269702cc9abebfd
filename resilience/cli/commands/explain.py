"""Says what an error means, whether to send the request again, and what the policy would do.

Explains a code, a JSON body, the text of an error, a traceback or a line of the log. Nothing is sent.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from ..first_answers import answer_style, first_answers, unknown_word
from ..plain_code import explain_plain_code
from ..terminal import show_json, show_line, show_own_text, show_table, show_text

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
    text = sys.stdin.read(_MAX_INPUT) if args.error == "-" else args.error
    if not text.strip():
        show_line("resilience explain: nothing to explain; give a code, a body or the text of an error", out=sys.stderr)
        return 2
    is_plain = not (args.policies or args.policy or args.registry or args.scope)
    plain = explain_plain_code(text) if is_plain else None
    explanation = plain or _explain(text, args)
    if explanation is None:
        return 2
    _print(explanation, args.registry, show_text if plain is None else show_own_text, json=args.json)
    return 0


def _explain(text: str, args: argparse.Namespace) -> dict[str, Any] | None:
    """Explain by the tables and the policies; None after a message about options that do not go together."""
    # They cost more than the explanation of a plain code.
    from ...config.loading.builtin_policies import builtin
    from ..error_input import parse_error_input
    from ..explanation import explain
    from ..policy_files import read_policies

    policies = read_policies(args.policies) if args.policies else builtin()
    if args.scope and not args.registry:
        show_line("resilience explain: --scope is a part of an API: give --registry or --venue too", out=sys.stderr)
        return None
    return explain(parse_error_input(text), policies, policy=args.policy, registry=args.registry, scope=args.scope)


def _print(explanation: dict[str, Any], registry: str | None, show: Callable[..., None], *, json: bool) -> None:
    if json:
        again, what = first_answers(explanation).values()
        show_json({"send_again": again, "what_to_do": what, **explanation})
    else:
        _print_answers(explanation, registry, show)
        _print_table(explanation)


def _print_answers(explanation: dict[str, Any], registry: str | None, show: Callable[..., None]) -> None:
    if unknown := unknown_word(explanation, registry):
        show_text(unknown, style="bold yellow")
    for question, answer in first_answers(explanation).items():
        show(f"{question} {answer}", hang=2, style=answer_style(answer))
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
