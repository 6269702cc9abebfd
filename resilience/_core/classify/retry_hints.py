"""Reads how long a server asks the client to wait: `Retry-After`, an attribute, or the end of a ban in the text."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

from .attributes import ReadAttribute, get

__all__ = ["retry_hint"]

_BAN_END = re.compile(r"\bun(?:til|ban)\D{1,20}(1\d{9})(\d{3})?\b")  # Unix seconds, milliseconds appended or not
_MAX_BAN_TEXT = 2000


def retry_hint(read: ReadAttribute, response: object, text: str) -> tuple[float | None, float | None]:
    """Return (seconds, Unix time) of the server's wish. Never clamped; what makes no sense is None."""
    after, when = _from_attributes(read, response)
    return (None, _ban_end(text)) if after is None and when is None else (after, when)


def _from_attributes(read: ReadAttribute, response: object) -> tuple[float | None, float | None]:
    after = _seconds(read("retry_after"))
    if after is not None:
        return after, None
    for headers in (read("headers"), None if response is None else get(response, "headers")):
        value = _header(headers, "retry-after")
        if value is None:
            continue
        after = _seconds(value)
        if after is not None:
            return after, None
        when = _date(value)
        if when is not None:
            # RFC 9110, 10.2.3: the value may be a date. Against the answer's own Date, our clock does not matter.
            now = _date(_header(headers, "date"))
            return None if now is None else max(0.0, when - now), when
    return None, None


def _ban_end(text: str) -> float | None:
    """Return the Unix time in `banned until 1659146400000`."""
    match = _BAN_END.search(text, 0, _MAX_BAN_TEXT)
    return float(match[1]) + (float(match[2]) / 1000 if match[2] else 0.0) if match is not None else None


def _header(headers: object, name: str) -> Any:
    if headers is None:
        return None
    try:
        # A plain dict has the case that the server sent; the clients' own mappings ignore case.
        pairs = list(headers.items()) if hasattr(headers, "items") else []
        return next((value for key, value in pairs if str(key).lower() == name), None)
    except Exception:
        return None


def _seconds(value: object) -> float | None:
    # A bool is an int, and `float` reads "nan", "inf" and texts of any length.
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > 32:
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


def _date(value: object) -> float | None:
    if not isinstance(value, str) or len(value) > 64:
        return None
    # Imported here because `email.utils` loads sockets and charsets, which no other error needs.
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()  # HTTP dates are GMT
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
