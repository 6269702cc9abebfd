"""Finds an API's code and an HTTP status in attributes, arguments and texts of an error.

A number of three digits is a code only inside a body. Elsewhere it is taken for an HTTP status.
"""

from __future__ import annotations

import re

from ...errors import ApiError
from .attributes import ReadAttribute, get

__all__ = ["code_from_words", "code_of", "status_from_text", "status_of"]

_LONG_CODE = re.compile(r"\d{4,6}")
_CODE_IN_TEXT = re.compile(r"code[=:]\s*[\"']?(\d{3,6})\b")
_STATUS_IN_TEXT = re.compile(r"https?://\S+ ([1-5]\d\d)\b")
_STATUS_NAMES = ("status_code", "status", "http_status", "http_status_code")
_RESPONSE_STATUS_NAMES = ("status_code", "status")  # requests and httpx; aiohttp


def code_of(value: object) -> str | None:
    """Return a code as a string, leading zeros kept; None for what is not a code (booleans, floats, huge numbers)."""
    if type(value) is bool:
        return None
    if isinstance(value, int):
        # CPython refuses to print an int of more than 4,300 digits; no API's code is near that.
        return str(int(value)) if abs(value) < 10**18 else None
    if isinstance(value, str) and 0 < len(value) <= 64:
        return str(value).strip() or None
    return None


def code_from_words(error: object, read: ReadAttribute, text: str) -> str | None:
    """Return the code in the first argument, else in `.code`, else after `code=` in the text."""
    args = read("args")
    first = code_of(args[0]) if isinstance(args, tuple) and args else None
    if first is not None and _LONG_CODE.fullmatch(first):
        return first
    own = code_of(read("code"))
    # Only an `ApiError` may have a code in letters: other classes keep `ENOENT` and the like there.
    if own is not None and (_LONG_CODE.fullmatch(own) or (isinstance(error, ApiError) and not own.isdecimal())):
        return own
    match = _CODE_IN_TEXT.search(text)
    return match[1] if match and len(match[1]) > 3 else None


def status_of(read: ReadAttribute, response: object, *, is_error: bool) -> int | None:
    """Return the HTTP status of an object, else of its response, else (of an error) its `.code`."""
    for name in _STATUS_NAMES:
        status = _as_status(read(name))
        if status is not None:
            return status
    for name in _RESPONSE_STATUS_NAMES if response is not None else ():
        status = _as_status(get(response, name))
        if status is not None:
            return status
    return _as_status(read("code")) if is_error else None


def status_from_text(text: str) -> int | None:
    """Return the status after a URL (`GET https://… 403`), else after `code=`."""
    match = _STATUS_IN_TEXT.search(text)
    if match is None:
        match = _CODE_IN_TEXT.search(text)
    return _as_status(match[1]) if match else None


def _as_status(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and len(value) == 3 and value.isdecimal():
        value = int(value)
    return int(value) if isinstance(value, int) and type(value) is not bool and 100 <= value <= 599 else None
