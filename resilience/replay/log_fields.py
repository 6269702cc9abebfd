"""Reads the fields of one log line. A value of the wrong type, or out of range, is read as missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

__all__ = ["read_count", "read_duration", "read_retry_safety", "read_seconds", "read_text", "read_time"]

_TIME_FIELDS = ("at", "timestamp", "time", "ts")
_MAX_TEXT = 500  # characters


def read_text(line: Mapping[str, Any], name: str) -> str | None:
    """Return a non-empty string, cut to 500 characters."""
    value = line.get(name)
    return value[:_MAX_TEXT] if isinstance(value, str) and value else None


def read_count(line: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number from 1 to 99,999."""
    value = line.get(name)
    # bool is an int in Python, and JSON has true.
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000 else None


def read_seconds(line: Mapping[str, Any], name: str) -> float | None:
    """Return a number of seconds from 0 to 10 million."""
    value = line.get(name)
    # The comparison is False for NaN, which Python's JSON parser accepts.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1e7:
        return None
    return float(value)


def read_duration(line: Mapping[str, Any]) -> float:
    """Return the seconds that the line's attempt took; version 0.1 wrote the field as `took`."""
    return read_seconds(line, "duration") or read_seconds(line, "took") or 0.0


def read_retry_safety(line: Mapping[str, Any]) -> str:
    """Return why the call may be sent again or not; version 0.1 wrote the field as `safety`."""
    return read_text(line, "retry_safety") or read_text(line, "safety") or "write"


def read_time(line: Mapping[str, Any], before: float) -> float:
    """Return the line's Unix time, or `before` (the time of the previous line) where it has no usable one."""
    for name in _TIME_FIELDS:
        value = line.get(name)
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value).timestamp()
            except (ValueError, OverflowError, OSError):
                continue
        # Below 1e11, so that milliseconds since 1970 are not taken for seconds.
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e11:
            return float(value)
    return before
