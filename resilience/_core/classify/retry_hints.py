"""Reads how long a server asks the client to wait: `Retry-After`, an attribute, a field, or the end of a ban."""

from __future__ import annotations

import re
from datetime import timedelta
from math import isfinite
from typing import Any, NamedTuple

from ..base.abstract_classes import is_mapping
from .attributes import ReadAttribute, get

__all__ = ["RetryHint", "retry_hint"]

# Unix seconds, maybe milliseconds: `banned until 1659146400000`, and Kraken's `Throttled: 1659146400`.
_END = re.compile(r"\b(?:until|unban|throttled)\D{1,20}(1\d{9})(\d{3})?\b", re.IGNORECASE)
_FIELD = re.compile(r"""["']retry_?after["']\s*:\s*["']?(\d{1,16}(?:\.\d{1,9})?)["']?\s*[,}]""", re.IGNORECASE)
_FIELDS = ("retryAfter", "retry_after")
_BODY_NAMES = ("body", "payload", "error", "data")
_RAW_NAMES = ("_content", "_body", "resilience_body", "body")  # read already: requests and httpx; aiohttp; others
_MAX_TEXT = 2000
_UNIX_TIMES = (1e9, 1e10)  # from 2001 to 2286; a field may hold such a time, in seconds or milliseconds


class RetryHint(NamedTuple):
    """How long a server asks the client to wait. Never clamped; what makes no sense is None.

    Attributes:
        after: seconds.
        when: Unix time in seconds.
        banned: the text says that the client is banned until then.
    """

    after: float | None = None
    when: float | None = None
    banned: bool = False


def retry_hint(source: object, read: ReadAttribute, response: object, text: str) -> RetryHint:
    """Return the server's wish: from an attribute or a header, else from the text or the body.

    Args:
        source: the error, or the returned value that is one.
        read: returns an attribute of it.
        response: its response, or None.
        text: the error's text; empty for a returned value.
    """
    body = _raw_body(read, response)
    end, banned = _end_in_words(text) or _end_in_words(body) or (None, False)
    after, when = _from_attributes(source, read, response)
    if after is not None or when is not None:
        return RetryHint(after, when, banned)
    if end is not None:
        return RetryHint(_seconds_until(end, read, response), end, banned)
    number = _field_of_text(text) or _field_of_text(body) or _field_of_mappings(source, read, response)
    if number is None or number < _UNIX_TIMES[0]:
        return RetryHint(number)
    when = next((time for time in (number, number / 1000) if _UNIX_TIMES[0] <= time < _UNIX_TIMES[1]), None)
    return RetryHint() if when is None else RetryHint(_seconds_until(when, read, response), when)


def _from_attributes(source: object, read: ReadAttribute, response: object) -> tuple[float | None, float | None]:
    after = _own_wait(source, read)
    if after is not None:
        return after, None
    for headers in _headers(read, response):
        value = _header(headers, "retry-after")
        if value is None:
            continue
        after = _seconds(value)
        if after is not None:
            return after, None
        when = _date(value)
        if when is not None:
            return _seconds_until(when, read, response), when
    return None, None


def _own_wait(source: object, read: ReadAttribute) -> float | None:
    """Return the seconds in an attribute of the error itself."""
    # python-telegram-bot keeps a timedelta here, and its public property warns of deprecation when it is read.
    wait = read("_retry_after")
    if isinstance(wait, timedelta):
        return _seconds(wait)
    # Not among the attributes that are read of every error at once, because of that warning.
    return _seconds(get(source, "retry_after") if isinstance(source, BaseException) else read("retry_after"))


def _seconds_until(when: float, read: ReadAttribute, response: object) -> float | None:
    """Return the seconds until a Unix time by the answer's own Date, so that our clock does not matter; else None."""
    # RFC 9110, 10.2.3: the value of Retry-After may be a date.
    dates = (_date(_header(headers, "date")) for headers in _headers(read, response))
    now = next((date for date in dates if date is not None), None)
    return None if now is None else max(0.0, when - now)


def _end_in_words(text: str) -> tuple[float, bool] | None:
    """Return the Unix time in `banned until 1659146400000`, and whether the text speaks of a ban."""
    match = _END.search(text, 0, _MAX_TEXT)
    if match is None:
        return None
    banned = "ban" in text[: match.end()].lower()
    return float(match[1]) + (float(match[2]) / 1000 if match[2] else 0.0), banned


def _raw_body(read: ReadAttribute, response: object) -> str:
    """Return the beginning of a body that the client has read already; empty where there is none."""
    for name in _RAW_NAMES:
        for raw in (read(name), None if response is None else get(response, name)):
            if isinstance(raw, bytes):
                return raw[:_MAX_TEXT].decode("utf-8", "replace")
            if isinstance(raw, str):
                return raw[:_MAX_TEXT]
    return ""


def _field_of_text(text: str) -> float | None:
    """Return the number in `"retryAfter": 30`, however deep it is."""
    match = _FIELD.search(text, 0, _MAX_TEXT)
    return None if match is None else float(match[1])


def _field_of_mappings(source: object, read: ReadAttribute, response: object) -> float | None:
    """Return the number of such a field in a body that is a mapping, or in a mapping of it."""
    for body in (source, *map(read, _BODY_NAMES), response):
        if not is_mapping(body):
            continue
        for level in (body, *(_get(body, name) for name in ("error", "data"))):
            found = next((number for name in _FIELDS if (number := _seconds(_get(level, name))) is not None), None)
            if found is not None:
                return found
    return None


def _get(body: object, name: str) -> Any:
    try:
        return body.get(name) if is_mapping(body) else None
    except Exception:
        return None


def _headers(read: ReadAttribute, response: object) -> tuple[object, ...]:
    of_response = None if response is None else get(response, "headers")
    return read("headers"), of_response, read("resilience_headers")  # the last one is set by us


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
    if isinstance(value, timedelta):
        value = value.total_seconds()
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
