"""`resilience replay LOG --policies FILE`: what changed policies would have made of recorded calls. Nothing is sent."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...telemetry.redaction import redact
from ..policy_files import Unusable, read
from ..terminal import show_json, show_table

__all__ = ["register", "run"]

_SHOWN = 40  # calls in the table; --all and --json show every one
_LONGEST = 1_000_000  # characters of a line that are read at once


def register(subparsers: Any) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "replay",
        help="show what changed policies would have made of a recorded log",
        description="Feeds a log (structlog's JSON lines) through changed policies on a virtual clock, and compares.",
    )
    parser.add_argument("log", metavar="LOG", help="a file of JSON lines; - reads standard input")
    parser.add_argument("--policies", metavar="FILE", help="the changed policies; default: the configured ones")
    parser.add_argument(
        "--successes",
        metavar="RATE",
        type=_rate,
        help="good calls of each policy that the log is silent about, such as 50/s: breakers, budgets and refusals "
        "are judged too",
    )
    parser.add_argument("--all", action="store_true", help="also list the calls that would have gone the same way")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Replay the log and say what differs; 1 when there is nothing in it to replay."""
    from ...replay.comparison import compared
    from ...replay.log_reader import read_log
    from ...replay.rerun import replay

    if args.log != "-" and not Path(args.log).is_file():
        print(redact(f"resilience: {args.log}: no such file"), file=sys.stderr)
        return 2
    try:
        policies = read(args.policies)
    except Unusable as end:
        return end.code
    log = read_log(_lines(args.log))
    answer = {
        "policies": policies.source,
        **compared(log, replay(log.calls, policies, successes=args.successes)),
    }
    if args.json:
        show_json(_clean(answer))
    else:
        _show(answer, everything=args.all)
    return 0 if log.calls else 1


def _lines(path: str) -> Iterator[str]:
    if path == "-":
        while line := sys.stdin.readline(_LONGEST):
            yield line
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        while line := file.readline(_LONGEST):
            yield line


def _rate(text: str) -> float:
    from ..._core.policy.units import parse_rate

    rate = parse_rate(text)
    if rate is None or not 0 <= rate <= 100_000:
        raise argparse.ArgumentTypeError(f"expected a rate such as 50/s or 600/m, up to 100000/s, got {text!r}")
    return rate


def _clean(value: Any) -> Any:
    """Return plain data whose texts passed the redactor: a log is anybody's."""
    if isinstance(value, dict):
        return {name: _clean(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_clean(one) for one in value]
    return redact(value) if isinstance(value, str) else value


def _show(answer: Mapping[str, Any], *, everything: bool) -> None:
    told = answer["log"]
    skipped = f"{told['foreign']} of others and {told['not_json']} that are no JSON skipped"
    print(f"{told['lines']} lines, {told['events']} of resilience ({skipped}): {told['calls']} calls")
    if not told["calls"]:
        print("nothing to replay: a log of ours has JSON lines with an event such as resilience.attempt_failed")
        return
    rows = [one for one in answer["calls"] if everything or one["different"]]
    if rows:
        print()
        columns = ("call", "operation", "different", "attempts", "waited", "outcome", "category")
        show_table(columns, [_row(one) for one in rows[: None if everything else _SHOWN]])
        if len(rows) > _SHOWN and not everything:
            print(f"... and {len(rows) - _SHOWN} more; --all or --json shows them")
    print()
    show_table(("summed", "recorded", "replayed"), list(_sums(answer["summary"])))
    _show_codes(answer["summary"])
    print("\nWhat a log cannot tell:")
    for line in answer["cannot_tell"]:
        print(f"  - {line}")


def _row(one: Mapping[str, Any]) -> Sequence[object]:
    was, now = one["recorded"], one["replayed"]
    if now is None:
        return one["call"], redact(one["operation"]), "not judged", was["attempts"], was["waited"], was["outcome"], "-"
    return (
        redact(one["call"]),
        redact(one["operation"]),
        ", ".join(one["different"]) or "nothing",
        _change(was["attempts"], now["attempts"]),
        _change(f"{was['waited']:.3g} s", f"{now['waited']:.3g} s"),
        _change(was["outcome"], now["outcome"]),
        _change(_last(was), _last(now)),
    )


def _last(told: Mapping[str, Any]) -> str:
    if not told["failures"]:
        return "-"
    last = told["failures"][-1]
    return " ".join(redact(one) for one in (last["category"], last["code"]) if one)


def _change(before: object, after: object) -> str:
    return str(before) if before == after else f"{before} → {after}"


def _sums(summary: Mapping[str, Any]) -> Iterator[tuple[object, object, object]]:
    yield "calls that are judged", summary["judged"], summary["judged"]
    yield "attempts", summary["attempts"]["recorded"], summary["attempts"]["replayed"]
    yield "seconds waited", f"{summary['waited']['recorded']:.3f}", f"{summary['waited']['replayed']:.3f}"
    outcomes = summary["outcomes"]
    for name in dict.fromkeys((*outcomes["recorded"], *outcomes["replayed"])):
        yield f"calls: {name}", outcomes["recorded"].get(name, 0), outcomes["replayed"].get(name, 0)


def _show_codes(summary: Mapping[str, Any]) -> None:
    for title, told in (("by the new tables", summary["categories"]), ("newly known", summary["newly_known"])):
        if told:
            print()
            names = list(told[0])
            show_table([title, *names[1:]], [[redact(str(one[name])) for name in names] for one in told])
    if gone := ", ".join(redact(one) for one in summary["no_such_policy"]):
        print(f"\nNot judged, since the changed policies have no such policy: {gone}")
