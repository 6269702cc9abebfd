"""Formats numbers for people, in the same way for the table and the report."""

from __future__ import annotations

from .figures import Figures

__all__ = ["format_count", "format_recovery", "format_seconds", "format_setting", "format_share"]


def format_count(number: float) -> str:
    """Write a whole number with thousands separators: 25,966."""
    return f"{number:,.0f}"


def format_seconds(value: float | None) -> str:
    """Write a measured time: 52 ms, 1.4 s, or a dash for None."""
    if value is None:
        return "–"
    if value < 0.9995:  # shown as 1000 ms otherwise
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s"


def format_share(value: float) -> str:
    """Write a share in per cent. A share below 1 is never rounded up to 100%."""
    # A policy that lost one request of a million did not answer all of them.
    text = f"{value:.1%}"
    return "99.9%" if text == "100.0%" and value < 1 else text.replace(".0%", "%")


def format_recovery(figures: Figures) -> str:
    """Write how long the recovery took."""
    if not figures.recovers:
        return "–"
    if figures.recovery is None:
        return "not seen"
    return "at once" if figures.recovery == 0 else f"{figures.recovery:.1f} s"


def format_setting(seconds: float) -> str:
    """Write a time as a scenario sets it, without trailing zeros: 500 ms, 2 s."""
    return f"{seconds * 1000:g} ms" if 0 < seconds < 1 else f"{seconds:g} s"
