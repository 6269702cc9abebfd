"""Shows the state of a running bot: what needs you, what is now, and what happened lately.

The bot serves its state with policies.serve_snapshot(). URL is what that returns; FILE is a snapshot saved as JSON, and
- is standard input. On a terminal the view of a URL changes until Ctrl-C; otherwise it is printed once. The variable
$RESILIENCE_TOKEN is sent as the token.

Printed once, the exit code is 0 if the bot is healthy and 1 if it is not: something is isolated, or a breaker is open
or half-open. It is 2 if there is no snapshot. Writes in doubt are shown and do not count.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ..._core.policy.units import parse_duration
from ..._printable import printable
from ...errors import ResilienceError
from ...telemetry.redaction import redact
from ..snapshot_source import is_url, read_snapshot
from ..snapshot_tables import SnapshotTable, is_healthy, snapshot_tables
from ..terminal import live_screen, show_json, show_table, show_text, table_lines

__all__ = ["add_arguments", "run"]

_KEPT = 11  # snapshots: rates are over the last ten intervals


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("source", metavar="URL|FILE", help="URL of a running bot, a saved snapshot, or - for stdin")
    parser.add_argument("--once", action="store_true", help="print the state once and exit")
    parser.add_argument("--json", action="store_true", help="print the snapshot once, as JSON")
    parser.add_argument(
        "--interval", type=_interval, default=1.0, metavar="TIME", help="between two reads, such as 500ms; default: 1s"
    )


def run(args: argparse.Namespace) -> int:
    """Show the state; 0 healthy (or after Ctrl-C), 1 not healthy."""
    snapshot = read_snapshot(args.source)
    if args.json:
        show_json(snapshot)
    elif args.once or not is_url(args.source) or not _is_screen():
        _print_once(snapshot)
    else:
        return _watch(args.source, args.interval, snapshot)
    return 0 if is_healthy(snapshot) else 1


def _is_screen() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def _print_once(snapshot: dict[str, Any]) -> None:
    show_text(_summary(snapshot))
    for table in snapshot_tables(snapshot):
        print()
        if table.rows:
            show_table(table.columns, table.rows, title=table.title)
        else:
            show_text(f"{table.title}: {table.empty}")


def _watch(source: str, interval: float, snapshot: dict[str, Any]) -> int:
    """Draw again after each interval, until Ctrl-C or SIGTERM. A server that is gone is asked again."""
    # SIGTERM too, so that the terminal is restored; a shell starts what runs in the background with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    kept, problem = deque([snapshot], maxlen=_KEPT), ""
    try:
        with live_screen() as draw:
            while True:
                draw(list(_lines(source, kept[-1], kept[0] if len(kept) > 1 else None, problem)))
                time.sleep(interval)
                try:
                    kept.append(read_snapshot(source))
                    problem = ""
                except ResilienceError as error:
                    problem = str(error)
    except KeyboardInterrupt:
        return 0


def _lines(
    source: str, snapshot: Mapping[str, Any], earlier: Mapping[str, Any] | None, problem: str
) -> Iterator[tuple[str, str]]:
    """Yield the lines of the screen, each with its style."""
    calm = is_healthy(snapshot) and not snapshot.get("writes_in_doubt")
    style = "bold green" if calm else "bold red"
    yield f"{_summary(snapshot)}   {printable(redact(source))}   Ctrl-C ends", style
    if problem:
        yield f"OUT OF DATE: {printable(redact(problem))}", "bold yellow"
    needs, *others = snapshot_tables(snapshot, earlier)
    yield from _table(needs, "red")
    for table in others:
        yield from _table(table, "")


def _table(table: SnapshotTable, style: str) -> Iterator[tuple[str, str]]:
    yield "", ""
    yield table.title, "bold"
    if not table.rows:
        yield table.empty, "dim"
        return
    names, *rows = table_lines(table.columns, table.rows)
    yield names, "dim"
    for row in rows:
        yield row, style


def _summary(snapshot: Mapping[str, Any]) -> str:
    try:
        at = datetime.fromtimestamp(snapshot["at"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        at = "at an unknown time"
    doubts = len(snapshot.get("writes_in_doubt", ()))
    doubted = f", {doubts} write{'s' if doubts > 1 else ''} in doubt" if doubts else ""
    return f"{'healthy' if is_healthy(snapshot) else 'NOT HEALTHY'}{doubted}   {at}"


def _interval(text: str) -> float:
    seconds = parse_duration(text)
    if seconds is None or not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"expected a duration such as 500ms or 2s, from 100ms to 1h, got {text!r}")
    return seconds
