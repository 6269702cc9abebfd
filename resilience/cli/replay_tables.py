"""Prints the result of a replay: the calls that differ, the sums, changed codes, and what a log cannot tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..telemetry.redaction import redact
from .terminal import show_table, show_text

__all__ = ["print_comparison"]

_MAX_CALLS = 40  # in the table; --all and --json show every call
_CALL_COLUMNS = ("call", "operation", "different", "attempts", "waited", "outcome", "category")


def print_comparison(comparison: Mapping[str, Any], *, all_calls: bool) -> None:
    """Print a comparison as `compare_calls` returns it.

    Args:
        comparison: the calls and their sums.
        all_calls: whether calls in which nothing differs are listed too.
    """
    log = comparison["log"]
    skipped = f"skipped: {log['foreign']} of other programs, {log['not_json']} not JSON"
    show_text(f"{log['lines']} lines, {log['events']} of resilience ({skipped}); {_count(log['calls'], 'call')}")
    if log["without_attempts"]:
        hidden = _count(log["without_attempts"], "call")
        show_text(f"{hidden} without attempts: their lines are of level info, which this log leaves out")
    if not log["calls"]:
        show_text("nothing to replay: expected JSON lines with an event such as resilience.attempt_failed")
        return
    _print_calls([call for call in comparison["calls"] if all_calls or call["different"]], all_calls)
    print()
    show_table(("sum", "recorded", "replayed"), list(_sums(comparison["summary"])))
    _print_codes(comparison["summary"])
    print("\nWhat a log cannot tell:")
    for sentence in comparison["cannot_tell"]:
        show_text(sentence, bullet="  - ")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _print_calls(calls: Sequence[Mapping[str, Any]], all_calls: bool) -> None:
    if not calls:
        return
    print()
    show_table(_CALL_COLUMNS, [_call_row(call) for call in calls[: None if all_calls else _MAX_CALLS]])
    if len(calls) > _MAX_CALLS and not all_calls:
        print(f"... and {len(calls) - _MAX_CALLS} more; --all or --json shows them")


def _call_row(call: Mapping[str, Any]) -> Sequence[object]:
    was, now = call["recorded"], call["replayed"]
    name, operation = redact(call["call"]), redact(call["operation"])
    waited = f"{was['waited']:.3g} s"
    if now is None:
        return name, operation, "not judged", was["attempts"], waited, was["outcome"], "-"
    return (
        name,
        operation,
        ", ".join(call["different"]) or "nothing",
        _change(was["attempts"], now["attempts"]),
        _change(waited, f"{now['waited']:.3g} s"),
        _change(was["outcome"], now["outcome"]),
        _change(_last_failure(was), _last_failure(now)),
    )


def _last_failure(call: Mapping[str, Any]) -> str:
    if not call["failures"]:
        return "-"
    last = call["failures"][-1]
    return " ".join(redact(part) for part in (last["category"], last["code"]) if part)


def _change(before: object, after: object) -> str:
    return str(before) if before == after else f"{before} → {after}"


def _sums(summary: Mapping[str, Any]) -> Iterator[tuple[object, object, object]]:
    yield "calls judged", summary["judged"], summary["judged"]
    yield "attempts", summary["attempts"]["recorded"], summary["attempts"]["replayed"]
    yield "waited", f"{summary['waited']['recorded']:.3f} s", f"{summary['waited']['replayed']:.3f} s"
    outcomes = summary["outcomes"]
    for name in dict.fromkeys((*outcomes["recorded"], *outcomes["replayed"])):
        yield f"calls {name}", outcomes["recorded"].get(name, 0), outcomes["replayed"].get(name, 0)


def _print_codes(summary: Mapping[str, Any]) -> None:
    tables = (("changed category: registry", summary["categories"]), ("newly known: code", summary["newly_known"]))
    for first_column, rows in tables:
        if rows:
            print()
            names = list(rows[0])
            cells = [[redact(str(row[name])) for name in names] for row in rows]
            show_table([first_column, *names[1:]], cells)
    if missing := ", ".join(summary["no_such_policy"]):
        print()
        show_text(f"Not judged, because the changed file has no policy of this name: {missing}")
