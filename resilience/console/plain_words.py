"""Writes numbers, times and shares as a person reads them at a glance."""

from __future__ import annotations

__all__ = ["count_of", "duration_words", "figure", "of_words"]


def figure(value: float) -> str:
    """Write a number with at most two decimals."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def of_words(part: float, whole: float) -> str:
    """Write how much of a whole there is."""
    return f"{figure(part)} of {figure(whole)}"


def count_of(number: int, what: str) -> str:
    """Write a number of things, whose name takes an s in the plural."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def duration_words(seconds: float) -> str:
    """Write seconds in the unit that keeps the number short.

    Example:
        >>> duration_words(0.25), duration_words(12.3), duration_words(200.0)
        ('0.25 s', '12 s', '3 min')
    """
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{figure(seconds)} s" if seconds < 10 else f"{seconds:.0f} s"
