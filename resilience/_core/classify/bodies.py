"""Finds JSON bodies in an error or a response, and the API's codes in them.

Only what the client has read already is looked at: nothing is awaited, streamed or read from a socket.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ..base.abstract_classes import is_mapping
from ..policy.body_paths import steps_of
from .attributes import MAX_TEXT, ReadAttribute, get
from .code_and_status import code_of
from .nested_codes import FoundCode, codes_at

__all__ = ["codes_in_bodies", "json_body", "json_list"]

_DECODER = json.JSONDecoder()
_BODY_NAMES = ("body", "payload", "error", "data")
_RAW_NAMES = ("_content", "_body", "resilience_body")  # requests and httpx; aiohttp; set by us for other clients
_MAX_ARGS = 6  # an SDK may put status, code, message, headers and body into them
_MAX_CODES = 16


def json_body(response: object) -> Mapping[Any, Any] | None:
    """Return the JSON mapping in a response whose body is read already (requests and httpx, then aiohttp)."""
    return _json_body(partial(get, response))


def json_list(response: object, keys: Iterable[str]) -> list[Any] | None:
    """Return the JSON list that is the body of a response, if one of these keys is in it; else None.

    Most lists are rows of data, and without the key there is no failed item: such a body is not parsed.
    """
    for name in _RAW_NAMES:
        raw = get(response, name)
        if isinstance(raw, (bytes, str)):
            text = raw[:MAX_TEXT].decode("utf-8", "replace") if isinstance(raw, bytes) else raw[:MAX_TEXT]
            value = _decoded(text, "[") if any(f'"{key}"' in text for key in keys) else None
            return value if isinstance(value, list) else None
    return None


def codes_in_bodies(
    error: object, read: ReadAttribute, response: object, text: str, paths: tuple[str, ...]
) -> tuple[list[str], Mapping[Any, Any] | None, bool]:
    """Return the codes of the first body that has any, that body, and whether a list in it has several outcomes.

    Without any code it is the first body at all: the items of a batch in it may have codes.

    The first code is the first at the first of these paths; a code of zeros alone, which means success, comes last.
    """
    first: Mapping[Any, Any] | None = None
    for body in _bodies(error, read, response, text):
        first = body if first is None else first
        codes, is_mixed = _codes_of(body, paths)
        if codes:
            if len(codes) > 1:
                codes.sort(key=_is_zero)  # stable: the others keep their order
            return codes[:_MAX_CODES], body, is_mixed
    return [], first, False


def _codes_of(body: Mapping[Any, Any], paths: tuple[str, ...]) -> tuple[list[str], bool]:
    codes: list[str] = []
    is_mixed = False
    for path in paths:
        try:
            found = _codes_at(body, path)
        except Exception:
            continue
        is_mixed = is_mixed or _is_mixed(found)
        codes += [code for code in dict.fromkeys(one.code for one in found) if code is not None and code not in codes]
    return codes, is_mixed


def _codes_at(body: Mapping[Any, Any], path: str) -> list[FoundCode]:
    if "." not in path:
        # Nearly every body has its code at a plain key, and nothing at the others.
        value = body.get(path)
        if value is None:
            return []
        code = code_of(value)
        if code is not None:
            return [FoundCode(code, body, (path,))]
    return codes_at(body, steps_of(path))


def _is_mixed(found: Sequence[FoundCode]) -> bool:
    """Return whether the items of a list have different codes; several codes of one item are one outcome."""
    if len(found) < 2:
        return False
    return len({one.code for one in found}) > 1 and len({id(one.parent) for one in found}) > 1


def _is_zero(code: str) -> bool:
    return not code.strip("0")


def _bodies(error: object, read: ReadAttribute, response: object, text: str) -> Iterator[Mapping[Any, Any]]:
    """Yield every body, the surest first: the object, its attributes, its response, its arguments, its text."""
    is_body = isinstance(error, Mapping)  # raises for a class without a hash: nothing is read of such an error
    if is_body:
        yield error  # type: ignore[misc]  # mypy does not follow the name
    yield from _mappings(map(read, _BODY_NAMES))
    body = None if response is None else response if is_mapping(response) else json_body(response)
    if body is not None:
        yield body
    if not is_body and (body := _json_body(read)) is not None:
        yield body
    args = read("args")
    if isinstance(args, tuple):
        yield from _mappings(arg for arg in args[:_MAX_ARGS] if not _is_in_text(arg, text))
    if "{" in text and (body := _parsed(text[text.index("{") :])) is not None:
        yield body


def _mappings(values: Iterable[object]) -> Iterator[Mapping[Any, Any]]:
    for value in values:
        if value is not None and (body := _mapping(value)) is not None:
            yield body


def _is_in_text(arg: object, text: str) -> bool:
    """Return whether an argument is a part of the text, which is read last, unless the class has a text of its own."""
    return isinstance(arg, str) and ("{" not in arg or "{" in text)


def _mapping(value: object) -> Mapping[Any, Any] | None:
    if is_mapping(value):
        return value
    return _parsed(value) if isinstance(value, (str, bytes)) else None


def _json_body(read: ReadAttribute) -> Mapping[Any, Any] | None:
    for name in _RAW_NAMES:
        raw = read(name)
        if isinstance(raw, (bytes, str)):
            return _parsed(raw)
    return None


def _parsed(raw: str | bytes) -> Mapping[Any, Any] | None:
    """Return the JSON mapping that begins here; what follows it is ignored."""
    text = raw[:MAX_TEXT].decode("utf-8", "replace") if isinstance(raw, bytes) else raw[:MAX_TEXT]
    value = _decoded(text, "{")
    return value if is_mapping(value) else None


def _decoded(text: str, beginning: str) -> Any:
    """Return the JSON value at the beginning of a text, or None."""
    text = text.lstrip()
    try:
        # `raw_decode` stops after one value, where `json.loads` raises on what follows it.
        return _DECODER.raw_decode(text)[0] if text.startswith(beginning) else None
    except (ValueError, RecursionError):
        return None
