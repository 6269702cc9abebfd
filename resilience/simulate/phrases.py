"""Figures as people read them, the same in the table and in the report."""

from __future__ import annotations

from .figures import Figures

__all__ = ["count", "recovered", "seconds", "share", "span"]


def count(number: float) -> str:
    """Write a number with its thousands apart."""
    return f"{number:,.0f}"


def seconds(value: float | None) -> str:
    """Write a time as short as it can be read."""
    if value is None:
        return "–"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s"


def share(value: float) -> str:
    """Write a share in per cent; what is not all is never shown as all."""
    told = f"{value:.1%}"
    return "99.9%" if told == "100.0%" and value < 1 else told.replace(".0%", "%")


def recovered(found: Figures) -> str:
    """Write when all was well again."""
    if not found.recovers:
        return "–"
    if found.recovery is None:
        return "not seen"
    return "at once" if found.recovery == 0 else f"{found.recovery:.1f} s"


def span(value: float) -> str:
    """Write a time as a scenario gives it, without a nought that says nothing."""
    return f"{value * 1000:g} ms" if 0 < value < 1 else f"{value:g} s"
