"""Shows what would have happened to recorded calls under changed policies.

Replays a log (structlog's JSON lines) under changed policies on a virtual clock, and compares. Nothing is sent. Exit
code 1 if the log has no call to replay.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from ...telemetry.plain_data import redact_all
from ..policy_files import read_policies
from ..replay_tables import print_comparison
from ..terminal import show_json, show_line

__all__ = ["add_arguments", "run"]

_MAX_LINE = 1_000_000  # characters that are read at once; the rest of a longer line is read as further lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("log", metavar="LOG", help="a file of JSON lines; - reads standard input")
    parser.add_argument("--policies", metavar="FILE", help="the changed policies; default: the configured ones")
    parser.add_argument(
        "--successes",
        metavar="RATE",
        type=_rate,
        help="successful calls per policy, which a log does not have, such as 50/s: breakers, budgets and rejections "
        "are judged too",
    )
    parser.add_argument("--all", action="store_true", help="also list the calls in which nothing differs")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Replay the log and say what differs; 1 if there is nothing in it to replay."""
    from ...replay.comparison import compare_calls
    from ...replay.log_reader import read_log
    from ...replay.rerun import replay

    if args.log != "-" and not Path(args.log).exists():
        show_line(f"resilience replay: {args.log}: no such file", out=sys.stderr)
        return 2
    policies = read_policies(args.policies)
    log = read_log(_read_lines(args.log))
    replayed = replay(log.calls, policies, successes=args.successes)
    comparison = {"policies": policies.source, **compare_calls(log, replayed)}
    if args.json:
        show_json(redact_all(comparison))
    else:
        print_comparison(comparison, all_calls=args.all)
    return 0 if log.calls else 1


def _read_lines(path: str) -> Iterator[str]:
    if path == "-":
        # readline with a limit: a file without line ends would be read into memory whole.
        while line := sys.stdin.readline(_MAX_LINE):
            yield line
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        while line := file.readline(_MAX_LINE):
            yield line


def _rate(text: str) -> float:
    from ..._core.policy.units import parse_rate

    rate = parse_rate(text)
    if rate is None or not 0 <= rate <= 100_000:
        raise argparse.ArgumentTypeError(f"expected a rate such as 50/s or 600/m, up to 100000/s, got {text!r}")
    return rate
