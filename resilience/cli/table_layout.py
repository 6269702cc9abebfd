"""Lays out tables as lines of text that are no wider than the terminal.

A table that is too wide is wrapped or transposed, or each of its rows becomes a block of lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

from .colors import style_of

__all__ = ["fitting_lines", "plain_table", "with_wrapped_last_column", "wrapped"]

Rows = Sequence[tuple[str, ...]]
Paint = Callable[[str, str], str]
_MIN_WRAPPED = 12  # columns of the terminal that a wrapped last column needs
_MIN_READABLE = 16  # a cell is not wrapped into lines that are shorter
_MAX_TRANSPOSED = 6  # rows: they become columns
_GAP = "  "


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> list[str]:
    """Return the lines of an aligned table without colors."""
    # One letter is taken as one column. East Asian letters are wider; our tables have none.
    widths = [max([len(name), *(len(row[i]) for row in rows)]) for i, name in enumerate(columns)]
    lines = [title] if title else []
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (columns, *rows))
    return [*lines, *("  ".join(row).rstrip() for row in padded)]


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text; a word that is longer than a line is not broken. What is indented hangs."""
    indent = len(text) - len(text.lstrip())
    hang = " " * (indent + len(_GAP)) if indent else ""
    from textwrap import wrap  # a pipe needs none

    return wrap(text, max(1, width), subsequent_indent=hang, break_long_words=False, break_on_hyphens=False) or [""]


def fitting_lines(columns: Sequence[str], rows: Rows, width: int, paint: Paint) -> list[str]:
    """Return the lines of a table in the first form that is no wider than the terminal.

    The forms: as it is, with wrapped cells, transposed, and a block of lines per row.

    Args:
        columns: the names of the columns.
        rows: the cells.
        width: of the terminal.
        paint: puts a text into a style.
    """
    widths = _column_widths(columns, rows, width)
    if widths:
        return list(_wrapped_table(columns, rows, widths, paint))
    transposed = plain_table(*_transposed(columns, rows))
    if len(rows) <= _MAX_TRANSPOSED and max(map(len, transposed)) <= width:
        return transposed
    return list(_blocks(columns, rows, width, paint))


def _transposed(columns: Sequence[str], rows: Rows) -> tuple[Sequence[str], Rows]:
    names, *cells = zip(columns, *rows, strict=True)
    return names, cells


def _column_widths(columns: Sequence[str], rows: Rows, width: int) -> list[int]:
    """Return the width of each column so that the table fits; empty if it would be cut into slivers."""
    whole, natural, least = [], [], []
    for name, *cells in zip(columns, *rows, strict=True):
        longest = max(map(len, cells), default=0)
        word = max(map(_longest_word, (name, *cells)))
        whole.append(max(len(name), longest))
        natural.append(max(word, longest))  # a name gives way before a cell does
        least.append(max(word, min(longest, _MIN_READABLE)))
    available = width - len(_GAP) * (len(columns) - 1)
    if sum(whole) <= available:
        return whole
    return _narrowed(natural, least, available) if sum(least) <= available else []


def _longest_word(text: str) -> int:
    # What is indented hangs, so that a word of it is wider than its letters.
    return max(map(len, wrapped(text, 1) if text.startswith(" ") else text.split()), default=0)


def _narrowed(widths: list[int], least: Sequence[int], available: int) -> list[int]:
    """Take from the widest column first, down to the next one, until the sum is available."""
    while (excess := sum(widths) - available) > 0:
        widest = max((i for i, width in enumerate(widths) if width > least[i]), key=widths.__getitem__)
        next_one = max((width for width in widths if width < widths[widest]), default=0)
        widths[widest] = max(least[widest], widths[widest] - excess, min(next_one, widths[widest] - 1))
    return widths


def _wrapped_table(columns: Sequence[str], rows: Rows, widths: Sequence[int], paint: Paint) -> Iterator[str]:
    yield from _wrapped_row(columns, widths, paint, ["bold"] * len(columns))
    yield "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    for row in rows:
        yield from _wrapped_row(row, widths, paint, [style_of(cell) for cell in row])


def _wrapped_row(cells: Sequence[str], widths: Sequence[int], paint: Paint, styles: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a row; the cells are painted, not the space between them."""
    columns = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for parts in zip_longest(*columns, fillvalue=""):
        padding = [" " * (width - len(part)) for part, width in zip(parts, widths, strict=True)]
        painted = [paint(part, style) for part, style in zip(parts, styles, strict=True)]
        yield _GAP.join(text + space for text, space in zip(painted, padding, strict=True)).rstrip()


def with_wrapped_last_column(columns: Sequence[str], rows: Rows, width: int) -> Rows:
    """Wrap the last cell of each row, whose further lines become rows; the same rows if there is no space for it."""
    left = width - max(map(len, plain_table(columns[:-1], [row[:-1] for row in rows])), default=0) - 2
    if left < _MIN_WRAPPED:
        return rows
    lines: list[tuple[str, ...]] = []
    for *cells, last in rows:
        first, *more = wrapped(last, left)
        lines.append((*cells, first))
        lines += [(*[""] * len(cells), line) for line in more]
    return lines


def _blocks(columns: Sequence[str], rows: Rows, width: int, paint: Paint) -> Iterator[str]:
    """Yield the first cell of each row, and below it the others by name; cells without a value are left out."""
    longest = max(map(len, columns[1:]), default=0)
    for index, (first, *others) in enumerate(rows):
        if index:
            yield ""
        yield from (paint(line, "bold") for line in wrapped(first, width))
        for name, cell in zip(columns[1:], others, strict=True):
            if cell != "-":
                label = f"  {name.ljust(longest)}  " if len(columns) > 2 else "  "
                yield from _labelled(label, cell, width, paint)


def _labelled(label: str, cell: str, width: int, paint: Paint) -> Iterator[str]:
    """Yield a cell behind its label, or below it if a word of the cell has no space there."""
    indent = " " * len(label)
    if _longest_word(cell) > width - len(label) and label.strip():
        yield label.rstrip()
        label = indent = " " * 4
    style = style_of(cell)
    for index, line in enumerate(wrapped(cell, width - len(indent))):
        yield (indent if index else label) + paint(line, style)
