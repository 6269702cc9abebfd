"""Reads stamp and window in a finished request, and writes the window where the venue takes it.

What counts is the finished request: a window that a client drops on the way must not shorten a fence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .answer_sections import ClockSettings, ExpirySettings

__all__ = ["expiry_header", "parsed", "stamp_in", "window_in"]

_MAX_DIGITS = 20  # `int` of a very long string of digits is quadratic


def stamp_in(clock: ClockSettings, url: object, headers: object, body: object) -> float | None:
    """Return the stamp of a finished request in Unix seconds, or None."""
    text = _value(clock.carrier, clock.name, url, headers, body)
    if text is None or clock.form == "milliseconds":
        return _milliseconds(text)
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()


def window_in(expiry: ExpirySettings, stamp: float | None, url: object, headers: object, body: object) -> float | None:
    """Return for how many seconds after its stamp a finished request says that it is valid, or None."""
    if expiry.carrier == "none":
        return None
    seconds = _milliseconds(_value(expiry.carrier, expiry.name, url, headers, body))
    if seconds is None or expiry.form == "milliseconds":
        return seconds
    return None if stamp is None else max(0.0, seconds - stamp)


def expiry_header(expiry: ExpirySettings, stamp: float, window: float) -> str:
    """Return the header that lets a request with this stamp expire after a window of so many seconds."""
    return str(round((stamp + window if expiry.form == "until" else window) * 1000))


def _value(carrier: str, name: str, url: object, headers: object, body: object) -> str | None:
    if carrier in ("header", "option"):
        return _header(headers, name)
    # A message over a socket has its parameters in a mapping; a request has them in its query, a form or JSON.
    if isinstance(body, Mapping):
        return None if body.get(name) is None else str(body[name])
    for text in (url, body):
        found = re.search(rf'(?:^|[?&]){re.escape(name)}=(\d+)|"{re.escape(name)}":\s*"?(\d+)', str(text or ""))
        if found is not None:
            return found[1] or found[2]
    return None


def _header(headers: object, name: str) -> str | None:
    pairs = headers.items() if isinstance(headers, Mapping) else ()
    return next((str(value) for key, value in pairs if str(key).casefold() == name.casefold()), None)


def _milliseconds(text: str | None) -> float | None:
    usable = text is not None and text.isdecimal() and len(text) < _MAX_DIGITS
    return int(text) / 1000 if usable and text is not None else None


def parsed(body: str) -> Mapping[str, Any]:
    """Return the mapping in the text of an answer; an empty one if it is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, Mapping) else {}
