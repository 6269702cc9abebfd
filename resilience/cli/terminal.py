"""Prints results: JSON for programs, tables and progress bars for people.

On a terminal, no sentence and no table is wider than it. In a pipe, text is for grep and awk: each sentence and each
row stays on one line. This is the only importer of rich, which draws progress bars and the screen of `top`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import Any, TextIO

from .._printable import printable
from .colors import has_color, painted
from .progress import changing_line, progress_counter, progress_lines
from .table_layout import fitting_lines, plain_table, with_wrapped_last_column, wrapped

__all__ = [
    "hanging",
    "live_counts",
    "live_screen",
    "progress_bar",
    "show_json",
    "show_line",
    "show_own_text",
    "show_rows",
    "show_table",
    "show_text",
    "table_lines",
]

_HANG = "  "
_BREAKS = dict.fromkeys(map(ord, "\t\n\r"), " ")


def show_json(value: Any, *, out: TextIO | None = None) -> None:
    """Print a value as JSON in ASCII, which every terminal and pipe can encode."""
    print(json.dumps(value, indent=2, default=str), file=out or sys.stdout)


def show_text(text: str, *, bullet: str = "", hang: int = 0, style: str = "", out: TextIO | None = None) -> None:
    """Print a sentence or a paragraph, wrapped on a terminal.

    Args:
        text: the sentence.
        bullet: what is printed before it; the lines after the first are indented by its width.
        hang: columns by which the lines after the first are indented further.
        style: colour on a terminal, such as `bold green`.
        out: where it is printed; standard output by default.
    """
    from ..telemetry.redaction import redact  # its patterns cost more than the rest of a short command

    show_own_text(redact(text), bullet=bullet, hang=hang, style=style, out=out)


def show_own_text(text: str, *, bullet: str = "", hang: int = 0, style: str = "", out: TextIO | None = None) -> None:
    """Do as `show_text` with a text that has no secrets: one of the library itself."""
    out = out or sys.stdout
    text = printable(text)
    indent = " " * (len(bullet) + hang)
    lines = wrapped(text, get_terminal_size().columns - len(indent)) if out.isatty() else [text]
    for index, line in enumerate(lines):
        print((indent if index else bullet) + painted(line, style, out), file=out)


def show_line(text: str, *, out: TextIO | None = None) -> None:
    """Print a text without secrets, and in printable form but for its line breaks; on a terminal each line hangs."""
    from ..telemetry.redaction import redact

    out = out or sys.stdout
    print(hanging(printable(redact(text), keep="\n"), out), file=out)


def hanging(text: str, out: TextIO) -> str:
    """Return a text in printable form as it is shown: on a terminal each line is wrapped, and its further lines hang.

    For messages of one line each, such as `FILE:LINE:COL: path: message`, of which a pipe gets the lines as they are.
    """
    if not out.isatty():
        return text
    width = get_terminal_size().columns - len(_HANG)
    return "\n".join(f"\n{_HANG}".join(wrapped(line, width)) for line in text.split("\n"))


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", out: TextIO | None = None
) -> None:
    """Print a table. None is shown as a dash."""
    out = out or sys.stdout
    cells: Sequence[tuple[str, ...]] = [tuple(_cell(value) for value in row) for row in rows]
    if not out.isatty():
        print(*plain_table(columns, cells, title=title), sep="\n", file=out)
        return
    if title:
        show_text(title, style="bold", out=out)
    width = get_terminal_size().columns
    print(*fitting_lines(columns, cells, width, lambda text, style: painted(text, style, out)), sep="\n", file=out)


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], *, out: TextIO | None = None) -> None:
    """Print a table for people on a terminal; in a pipe its columns are separated by tabs."""
    out = out or sys.stdout
    if out.isatty():
        show_table(columns, rows, out=out)
        return
    for row in (columns, *rows):
        print(*map(_cell, row), sep="\t", file=out)


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of an aligned table of any values, with control characters escaped; the first has the names.

    If the table is wider than the terminal, its last column is wrapped.
    """
    cells = [tuple(_cell(value) for value in row) for row in rows]
    return plain_table(columns, with_wrapped_last_column(columns, cells, get_terminal_size().columns))


def _cell(value: object) -> str:
    if value is None or value in ((), []):
        return "-"
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return printable(text.translate(_BREAKS))


@contextmanager
def progress_bar(label: str, total: int, *, out: TextIO | None = None) -> Iterator[Callable[[], None]]:
    """Show progress, with an estimate of the time that is left.

    On a terminal it is a bar or a counter that is removed at the end. In a pipe, such as the log of a CI job, it is a
    line every half minute.

    Args:
        label: the text before the bar.
        total: number of steps.
        out: where it is shown; standard error by default.

    Yields:
        A function to call once per step.
    """
    out = out or sys.stderr
    if not out.isatty():
        yield progress_lines(label, total, out)
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        with progress_counter(label, total, out) as step:
            yield step
        return
    # Its last column is the time that is left.
    with Progress(console=Console(file=out, no_color=not has_color(out)), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)


@contextmanager
def live_counts(text: Callable[[], str], *, out: TextIO | None = None) -> Iterator[Callable[[], None]]:
    """Show counts while they grow, on a line that stays.

    Args:
        text: returns the line as it is now; of one that is too wide, what is behind the last commas is left out.
        out: where it is shown; standard error by default.

    Yields:
        A function to call when a count has changed.
    """
    with changing_line(lambda: _without_last_parts(text()), out or sys.stderr) as changed:
        yield changed


def _without_last_parts(line: str) -> str:
    columns = get_terminal_size().columns
    while len(line) >= columns and ", " in line:
        line = line.rpartition(", ")[0]
    return line[: columns - 1]


@contextmanager
def live_screen(*, out: TextIO | None = None) -> Iterator[Callable[[Sequence[tuple[str, str]]], None]]:
    """Take the whole terminal until the end of the block, which shows again what was there before.

    Yields:
        A function that draws lines, each a text and a style such as `bold red`. What does not fit is cut off.
    """
    out = out or sys.stdout
    try:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.text import Text
    except ImportError:
        yield lambda lines: print("\x1b[H\x1b[J" + "\n".join(_cropped(lines)), end="", flush=True, file=out)
        return
    console = Console(file=out, no_color=not has_color(out))
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def draw(lines: Sequence[tuple[str, str]]) -> None:
            texts = (Text(text, style=style, no_wrap=True, overflow="ellipsis") for text, style in lines)
            live.update(Group(*texts), refresh=True)

        yield draw


def _cropped(lines: Sequence[tuple[str, str]]) -> list[str]:
    size = get_terminal_size()
    return [text[: size.columns - 1] for text, _ in lines[: size.lines - 1]]
