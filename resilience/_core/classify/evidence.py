"""What an object tells about an error: any exception or result → `Evidence`. Tables are not asked here.

The order fits every client that is known: a body that is a mapping → JSON in the text → `args[0]`
→ `.code` → `code=…` in the text → the HTTP status. Only a body's code counts when it has three
digits: elsewhere such a number is a status. Nothing is awaited, streamed or read that is not read
already, texts are looked at up to a bound, and an attribute that raises tells nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

from ...errors import ApiError
from ..policy.codes import Envelope, ItemList

__all__ = [
    "Evidence",
    "around",
    "causes_of",
    "code_of",
    "failed_items",
    "gather_evidence",
    "get",
    "json_body",
    "text_of",
]

_MOST_TEXT = 65_536
_MOST_NODES = 32
_LONG_CODE = re.compile(r"\d{4,6}")
_CODE_IN_TEXT = re.compile(r"code[=:]\s*[\"']?(\d{3,6})\b")
_STATUS_IN_TEXT = re.compile(r"https?://\S+ ([1-5]\d\d)\b")
_UNTIL = re.compile(r"\bun(?:til|ban)\D{1,20}(1\d{9})(\d{3})?\b")
_DECODER = json.JSONDecoder()
_STATUSES = ("status_code", "status", "http_status", "http_status_code")
_BODIES = ("body", "payload", "error", "data")
_RAW = ("_content", "_body")
_NAMES = (*_STATUSES, *_BODIES, *_RAW, "api_code", "args", "code", "headers", "response", "retry_after")

Ask = Callable[[str], Any]
"""Returns an attribute of the object in question, or None."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one object tells. Absent things are None.

    Attributes:
        code: the API's code as a string.
        body: the mapping in which the code was found.
        status: the HTTP status.
        text: the object's own words, bounded.
        retry_after: seconds that the server asks for.
        retry_at: the same as Unix time in seconds.
    """

    code: str | None = None
    body: Mapping[Any, Any] | None = None
    status: int | None = None
    text: str = ""
    retry_after: float | None = None
    retry_at: float | None = None


def gather_evidence(one: object, keys: Iterable[str]) -> Evidence:
    """Return what `one` tells; `keys` are the names under which bodies hold their code."""
    raised = isinstance(one, BaseException)
    text, ask = (text_of(one), _asked(one)) if raised else ("", partial(get, one))
    response = ask("response")
    status = _status(ask, response, raised)
    code, body = _from_bodies(one, ask, response, text, tuple(keys))
    code = code_of(ask("api_code")) or code
    if code is None and raised:
        code = _from_words(one, ask, text)
        if code is None and status is None:
            status = _status_in(text)
    after, at = _retry_after(ask, response)
    if after is None and at is None:
        at = _until(text)
    return Evidence(code, body, status, text, after, at)


def get(one: object, name: str) -> Any:
    """Return an attribute, or None when there is none or it raises."""
    try:
        return getattr(one, name, None)
    except Exception:
        return None


def _asked(error: object) -> Ask:
    """Return what gives an error's attributes, all of which are read at once: most of them are not there."""
    try:
        return {name: getattr(error, name, None) for name in _NAMES}.get
    except Exception:
        return partial(get, error)


def text_of(error: object) -> str:
    """Return the words of an error, bounded; empty when it has none to say."""
    try:
        text = str(error)
        return text[:_MOST_TEXT] if type(text) is str else str.__str__(text)[:_MOST_TEXT]
    except Exception:
        return ""


def code_of(value: object) -> str | None:
    """Return a code as a string, leading zeros kept; None for what is no code (booleans, floats, huge numbers)."""
    if type(value) is bool:
        return None
    if isinstance(value, int):
        return str(int(value)) if abs(value) < 10**18 else None
    if isinstance(value, str) and 0 < len(value) <= 64:
        return str(value).strip() or None
    return None


def json_body(one: object) -> Mapping[Any, Any] | None:
    """Return the JSON mapping in a response whose body is read already (requests and httpx, then aiohttp)."""
    return _json_body(partial(get, one))


def _json_body(ask: Ask) -> Mapping[Any, Any] | None:
    for name in _RAW:
        raw = ask(name)
        if isinstance(raw, (bytes, str)):
            return _parsed(raw)
    return None


def failed_items(
    body: Mapping[Any, Any] | None, envelope: Envelope | None
) -> tuple[ItemList, list[Mapping[Any, Any]]] | None:
    """Return the items of a batch that a body says have failed, and how they are written; None when none did."""
    if envelope is None:
        return None
    for listed in envelope.failures:
        found = [one for one in _items(body, listed) if not listed.mixed or _bad(one, listed, envelope.success)]
        if found:
            return listed, found
    return None


def _items(body: Mapping[Any, Any] | None, listed: ItemList) -> list[Mapping[Any, Any]]:
    place: Any = body
    for name in listed.at:
        place = place.get(name) if isinstance(place, Mapping) else None
    return [one for one in place if isinstance(one, Mapping)] if isinstance(place, list) else []


def _bad(item: Mapping[Any, Any], listed: ItemList, success: frozenset[str]) -> bool:
    """Tell whether an item of a mixed list has failed: it has a code of no success, and words to go with it."""
    code = code_of(item.get(listed.code))
    return code is not None and code not in success and listed.message in item


def causes_of(error: object) -> list[object]:
    """Return an error and what it came from, nearest first; cycles and long chains are cut.

    What was merely being handled when it was raised is not among them: see `around`.
    """
    return _walked([error], set())


def around(nodes: list[object]) -> list[object]:
    """Return what was being handled when these were raised, and what that came from.

    It may be where a client found its own error, and it may be another call's, which the caller was
    handling when it made this one: so it says what to make of an error that nothing else explains, and
    never that nothing has happened.
    """
    return _walked(_contexts(nodes), {id(one) for one in nodes}, contexts=True)


def _walked(queue: list[object], seen: set[int], *, contexts: bool = False) -> list[object]:
    found: list[object] = []
    while queue and len(found) < _MOST_NODES:
        one = queue.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        found.append(one)
        queue += _sources(one)
        queue += _contexts([one]) if contexts else ()
    return found


def _sources(one: object) -> list[object]:
    if not isinstance(one, BaseException):
        return []
    near: list[object] = [one.__cause__]
    if isinstance(one, BaseExceptionGroup):
        near += one.exceptions[:_MOST_NODES]
    near.append(get(one, "reason"))
    args = get(one, "args")
    near += args[:4] if isinstance(args, tuple) else ()
    return [each for each in near if isinstance(each, BaseException)]


def _contexts(nodes: list[object]) -> list[object]:
    told = [one for one in nodes if isinstance(one, BaseException) and not one.__suppress_context__]
    return [one.__context__ for one in told if isinstance(one.__context__, BaseException)]


def _from_bodies(
    one: object, ask: Ask, response: object, text: str, keys: tuple[str, ...]
) -> tuple[str | None, Mapping[Any, Any] | None]:
    for body in _bodies(one, ask, response, text):
        for key in keys:
            try:
                code = code_of(body.get(key))
            except Exception:
                continue
            if code is not None:
                return code, body
    return None, None


def _bodies(one: object, ask: Ask, response: object, text: str) -> Iterator[Mapping[Any, Any]]:
    if isinstance(one, Mapping):
        yield one
    for name in _BODIES:
        body = ask(name)
        if body is None:
            continue
        if isinstance(body, Mapping):
            yield body
        elif isinstance(body, (str, bytes)) and (parsed := _parsed(body)) is not None:
            yield parsed
    if isinstance(response, Mapping):
        yield response
    elif response is not None and (parsed := json_body(response)) is not None:
        yield parsed
    if not isinstance(one, Mapping) and (parsed := _json_body(ask)) is not None:
        yield parsed
    args = ask("args")
    for arg in args[:4] if isinstance(args, tuple) else ():
        if isinstance(arg, bytes):
            if (parsed := _parsed(arg)) is not None:
                yield parsed
        elif not isinstance(arg, str) and isinstance(arg, Mapping):
            yield arg
    if "{" in text and (parsed := _parsed(text[text.index("{") :])) is not None:
        yield parsed


def _parsed(raw: str | bytes) -> Mapping[Any, Any] | None:
    """Return the JSON mapping that begins here; what follows it is passed over."""
    try:
        text = raw[:_MOST_TEXT].decode("utf-8", "replace") if isinstance(raw, bytes) else raw[:_MOST_TEXT]
        text = text.lstrip()
        value = _DECODER.raw_decode(text)[0] if text.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, Mapping) else None


def _from_words(error: object, ask: Ask, text: str) -> str | None:
    args = ask("args")
    first = code_of(args[0]) if isinstance(args, tuple) and args else None
    if first is not None and _LONG_CODE.fullmatch(first):
        return first
    own = code_of(ask("code"))
    if own is not None and (_LONG_CODE.fullmatch(own) or (isinstance(error, ApiError) and not own.isdecimal())):
        return own
    found = _CODE_IN_TEXT.search(text)
    return found[1] if found and len(found[1]) > 3 else None


def _status(ask: Ask, response: object, raised: bool) -> int | None:
    for name in _STATUSES:
        status = _as_status(ask(name))
        if status is not None:
            return status
    for name in _STATUSES[:2] if response is not None else ():
        status = _as_status(get(response, name))
        if status is not None:
            return status
    return _as_status(ask("code")) if raised else None


def _as_status(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and len(value) == 3 and value.isdecimal():
        value = int(value)
    return int(value) if isinstance(value, int) and type(value) is not bool and 100 <= value <= 599 else None


def _status_in(text: str) -> int | None:
    found = _STATUS_IN_TEXT.search(text)
    if found is None:
        found = _CODE_IN_TEXT.search(text)
    return _as_status(found[1]) if found else None


def _retry_after(ask: Ask, response: object) -> tuple[float | None, float | None]:
    """Return (seconds, Unix time) of the server's wish; never clamped."""
    after = _seconds(ask("retry_after"))
    if after is not None:
        return after, None
    for headers in (ask("headers"), None if response is None else get(response, "headers")):
        value = _header(headers, "retry-after")
        if value is None:
            continue
        after = _seconds(value)
        if after is not None:
            return after, None
        at = _date(value)
        if at is not None:
            now = _date(_header(headers, "date"))
            return None if now is None else max(0.0, at - now), at
    return None, None


def _until(text: str) -> float | None:
    """Return the Unix time of a ban that is told in words: `banned until 1659146400000`."""
    found = _UNTIL.search(text, 0, 2000)
    return float(found[1]) + (float(found[2]) / 1000 if found[2] else 0.0) if found is not None else None


def _header(headers: object, name: str) -> Any:
    if headers is None:
        return None
    try:
        pairs = list(headers.items()) if hasattr(headers, "items") else []
        return next((value for key, value in pairs if str(key).lower() == name), None)
    except Exception:
        return None


def _seconds(value: object) -> float | None:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, str))
        or (isinstance(value, str) and len(value) > 32)
    ):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None


def _date(value: object) -> float | None:
    if not isinstance(value, str) or len(value) > 64:
        return None
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(value)
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()  # HTTP dates are GMT
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
