"""Finds an API's code and an HTTP status in attributes, arguments and texts of an error.

A number of three digits is a code only inside a body. Elsewhere it is taken for an HTTP status. A negative number is
always a code, sign included.
"""

from __future__ import annotations

import re

from ...errors import ApiError
from .attributes import ReadAttribute, get

__all__ = ["CODE_NAMES", "code_of", "codes_from_words", "status_from_text", "status_of"]

CODE_NAMES = ("code", "error_code", "errorCode", "err_code", "ret_code", "retCode", "label")
"""Attributes in which exceptions of SDKs keep the API's code."""
MAX_CODE = 100
"""The maximum number of characters of a code: the labels of some APIs have more than 80."""
_LONG_CODE = re.compile(r"-?\d{4,6}")
_OWN_CODE = re.compile(r"\d{4,10}|-\d{3,10}")  # in an attribute that is named after codes
_CODE_IN_TEXT = re.compile(r"[Cc]ode[\"']?[=:]\s*[\"']?(-?\d{3,7})\b")
_STATUS_IN_TEXT = re.compile(r"https?://\S+ ([1-5]\d\d)\b")
_STATUS_NAMES = ("status_code", "status", "http_status", "http_status_code", "resilience_status")
_CODE_AND_STATUS_NAMES = (*CODE_NAMES, *_STATUS_NAMES)
_RESPONSE_STATUS_NAMES = ("status_code", "status", "resilience_status")  # requests, httpx; aiohttp; set by us


def code_of(value: object) -> str | None:
    """Return a code as a string, leading zeros kept; None for what is not a code (booleans, floats, huge numbers)."""
    if type(value) is bool:
        return None
    if isinstance(value, int):
        # CPython refuses to print an int of more than 4,300 digits; no API's code is near that.
        return str(int(value)) if abs(value) < 10**18 else None
    if isinstance(value, str) and 0 < len(value) <= MAX_CODE:
        return str(value).strip() or None
    return None


def codes_from_words(error: object, read: ReadAttribute, text: str) -> tuple[list[str], list[str]]:
    """Return the codes in the first argument, in the attributes of an error and after `code=` in its text.

    The first list has numbers that can only be an API's. The second has words and short numbers, which are codes only
    if a table has them: other classes keep `ENOENT` and the like in such attributes. An HTTP status is in neither.
    """
    args = read("args")
    first = code_of(args[0]) if isinstance(args, tuple) and args else None
    is_code = first is not None and _LONG_CODE.fullmatch(first) is not None and not _is_errno(error, args[0])
    strong = [str(first)] if is_code else []
    weak: list[str] = []
    for name in _CODE_AND_STATUS_NAMES:
        value = read(name)
        if value is None:  # most are absent
            continue
        own = code_of(value)
        if own is None or _as_status(own) is not None:
            continue
        if _is_certain(own, name, error):
            strong.append(own)
        elif name not in _STATUS_NAMES and (name != "code" or not own.isdecimal()):  # `code = 1` may be an exit status
            weak.append(own)
    if not strong and (match := _code_in(text)) and _as_status(match) is None:
        strong.append(match)
    return strong, weak


def _is_certain(own: str, name: str, error: object) -> bool:
    """Return whether the value of an attribute can only be a code of the API. Some SDKs call its number a status."""
    # Only an `ApiError` says outright that its word, or its number of one digit, is a code.
    return _OWN_CODE.fullmatch(own) is not None or (name == "code" and isinstance(error, ApiError))


def _code_in(text: str) -> str | None:
    # A search for a plain string costs a tenth of that for a pattern without a fixed beginning.
    match = _CODE_IN_TEXT.search(text) if "ode" in text else None
    return match[1] if match else None


def _is_errno(error: object, number: object) -> bool:
    """Return whether a number is that of the operating system: Windows has 10054 for a reset connection."""
    return isinstance(error, OSError) and get(error, "errno") == number


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


def status_from_text(text: str) -> tuple[int | None, bool]:
    """Return the status after a URL (`GET https://… 403`), else the number after `code=`, and whether it is the latter.

    A number after `code=` may be a code that only looks like a status.
    """
    match = _STATUS_IN_TEXT.search(text)
    if match is not None:
        return _as_status(match[1]), False
    code = _code_in(text)
    return (None, False) if code is None else (_as_status(code), True)


def _as_status(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and len(value) == 3 and value.isdecimal():
        value = int(value)
    return int(value) if isinstance(value, int) and type(value) is not bool and 100 <= value <= 599 else None
