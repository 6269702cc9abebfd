"""Writes durations as a policy file does, for what the stages say of themselves."""

from __future__ import annotations

from ..policy.units import Spec

__all__ = ["format_duration"]

_DURATION = Spec("duration", 0, 0)


def format_duration(seconds: float | None) -> str:
    """Write a duration as a policy file does: 250ms, 5s, 2m. None is `no limit`."""
    return "no limit" if seconds is None else _DURATION.write(round(seconds, 6))
