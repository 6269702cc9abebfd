"""Prints results: JSON for programs, tables and progress bars for people.

On a terminal, sentences are wrapped at its width, and rich draws the table if it is installed. A table that is too wide
is transposed, or its last column is wrapped. In a pipe, text is for grep and awk: each sentence and each row stays on
one line. This is the only importer of rich.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import Any, TextIO

from .._printable import printable
from .progress import progress_counter, progress_lines

__all__ = [
    "live_screen",
    "plain_table",
    "progress_bar",
    "show_json",
    "show_line",
    "show_own_text",
    "show_table",
    "show_text",
    "table_lines",
]

_BREAKS = dict.fromkeys(map(ord, "\t\n\r"), " ")
_MAX_UNBROKEN = 12  # characters of a cell that must stay on one line
_MIN_WRAPPED = 12  # columns of the terminal that a wrapped column needs


def show_json(value: Any, *, out: TextIO | None = None) -> None:
    """Print a value as JSON in ASCII, which every terminal and pipe can encode."""
    print(json.dumps(value, indent=2, default=str), file=out or sys.stdout)


def show_text(text: str, *, bullet: str = "", out: TextIO | None = None) -> None:
    """Print a sentence or a paragraph, wrapped on a terminal; the lines after the first are indented as the bullet."""
    from ..telemetry.redaction import redact  # its patterns cost more than the rest of a short command

    show_own_text(redact(text), bullet=bullet, out=out)


def show_own_text(text: str, *, bullet: str = "", out: TextIO | None = None) -> None:
    """Do as `show_text` with a text that has no secrets: one of the library itself."""
    out = out or sys.stdout
    text = printable(text)
    lines = _wrapped(text, get_terminal_size().columns - len(bullet)) if out.isatty() else [text]
    for index, line in enumerate(lines):
        print((" " * len(bullet) if index else bullet) + line, file=out)


def _wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text; a word that is longer than a line is not broken."""
    from textwrap import wrap

    return wrap(text, max(1, width), break_long_words=False, break_on_hyphens=False) or [""]


def show_line(text: str, *, out: TextIO | None = None) -> None:
    """Print a text without secrets, and in printable form but for its line breaks."""
    from ..telemetry.redaction import redact

    print(printable(redact(text), keep="\n"), file=out or sys.stdout)


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", out: TextIO | None = None
) -> None:
    """Print a table. None is shown as a dash."""
    out = out or sys.stdout
    cells: Sequence[tuple[str, ...]] = [tuple(_cell(value) for value in row) for row in rows]
    if out.isatty():
        if _rich_table(columns, cells, title, out):
            return
        columns, cells = _fit(columns, cells)
    for line in plain_table(columns, cells, title=title):
        print(line, file=out)


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> list[str]:
    """Return the lines of an aligned table without colors."""
    # One letter is taken as one column. East Asian letters are wider; our tables have none.
    widths = [max([len(name), *(len(row[i]) for row in rows)]) for i, name in enumerate(columns)]
    lines = [title] if title else []
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (columns, *rows))
    return [*lines, *("  ".join(row).rstrip() for row in padded)]


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of an aligned table of any values, with control characters escaped; the first has the names.

    If the table is wider than the terminal, its last column is wrapped.
    """
    cells = [tuple(_cell(value) for value in row) for row in rows]
    return plain_table(columns, _wrap_last(columns, cells, get_terminal_size().columns))


def _fit(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> tuple[Sequence[str], Sequence[tuple[str, ...]]]:
    """Transpose a table that is too wide for the terminal, if it fits then; else wrap its last column."""
    width = get_terminal_size().columns
    if max(map(len, plain_table(columns, rows))) <= width:
        return columns, rows
    new_columns, *new_rows = zip(columns, *rows, strict=True)
    fits = max(map(len, plain_table(new_columns, new_rows))) <= width
    if fits:
        return new_columns, new_rows
    return columns, _wrap_last(columns, rows, width)


def _wrap_last(columns: Sequence[str], rows: Sequence[tuple[str, ...]], width: int) -> Sequence[tuple[str, ...]]:
    left = width - max(map(len, plain_table(columns[:-1], [row[:-1] for row in rows])), default=0) - 2
    return _with_wrapped_cells(rows, left) if left >= _MIN_WRAPPED else rows


def _with_wrapped_cells(rows: Sequence[tuple[str, ...]], width: int) -> list[tuple[str, ...]]:
    """Wrap the last cell of each row: its further lines become rows of their own."""
    lines: list[tuple[str, ...]] = []
    for *cells, last in rows:
        first, *more = _wrapped(last, width)
        lines.append((*cells, first))
        lines += [(*[""] * len(cells), line) for line in more]
    return lines


def _cell(value: object) -> str:
    if value is None:
        return "-"
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return printable(text.translate(_BREAKS))


def _rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str, out: TextIO) -> bool:
    """Draw with rich. Return False if rich is not installed, or if the terminal is too narrow for the columns."""
    try:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    # No edge and no padding: the table is as wide as its plain form, so that more terminals fit it.
    table = Table(
        title=title or None, title_justify="left", header_style="bold", box=SIMPLE_HEAD, show_edge=False, padding=0
    )
    console, min_width = Console(file=out, no_color=bool(os.environ.get("NO_COLOR")) or None), len(columns) - 1
    for index, name in enumerate(columns):
        unbroken = [*name.split(), *(row[index] for row in rows if len(row[index]) <= _MAX_UNBROKEN)]
        width = max(map(len, unbroken), default=1)
        table.add_column(name, overflow="fold", min_width=width)
        min_width += width
    if min_width > console.width:
        return False  # rich would cut off the last columns
    for row in rows:
        # Text, not str: rich reads `[bold]` in a str as markup, and cells hold foreign text.
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    return True


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
    with Progress(console=Console(file=out, no_color=bool(os.environ.get("NO_COLOR")) or None), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)


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
    console = Console(file=out, no_color=bool(os.environ.get("NO_COLOR")) or None)
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def draw(lines: Sequence[tuple[str, str]]) -> None:
            texts = (Text(text, style=style, no_wrap=True, overflow="ellipsis") for text, style in lines)
            live.update(Group(*texts), refresh=True)

        yield draw


def _cropped(lines: Sequence[tuple[str, str]]) -> list[str]:
    size = get_terminal_size()
    return [text[: size.columns - 1] for text, _ in lines[: size.lines - 1]]
