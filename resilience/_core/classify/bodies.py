"""Finds JSON bodies in an error or a response, and the API's code in them.

Only what the client has read already is looked at: nothing is awaited, streamed or read from a socket.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from .attributes import MAX_TEXT, ReadAttribute, get
from .code_and_status import code_of

__all__ = ["code_in_bodies", "json_body"]

_DECODER = json.JSONDecoder()
_BODY_NAMES = ("body", "payload", "error", "data")
_RAW_NAMES = ("_content", "_body")  # requests and httpx; aiohttp
_MAX_ARGS = 4


def json_body(response: object) -> Mapping[Any, Any] | None:
    """Return the JSON mapping in a response whose body is read already (requests and httpx, then aiohttp)."""
    return _json_body(partial(get, response))


def code_in_bodies(
    error: object, read: ReadAttribute, response: object, text: str, keys: tuple[str, ...]
) -> tuple[str | None, Mapping[Any, Any] | None]:
    """Return the first code that a body has under one of these keys, and that body; (None, None) without one."""
    for body in _bodies(error, read, response, text):
        for key in keys:
            try:
                code = code_of(body.get(key))
            except Exception:
                continue
            if code is not None:
                return code, body
    return None, None


def _bodies(error: object, read: ReadAttribute, response: object, text: str) -> Iterator[Mapping[Any, Any]]:
    """Yield every body, the surest first: the object, its attributes, its response, its arguments, its text."""
    if isinstance(error, Mapping):
        yield error
    for name in _BODY_NAMES:
        value = read(name)
        if value is not None and (body := _mapping(value)) is not None:
            yield body
    if isinstance(response, Mapping):
        yield response
    elif response is not None and (body := json_body(response)) is not None:
        yield body
    if not isinstance(error, Mapping) and (body := _json_body(read)) is not None:
        yield body
    args = read("args")
    for arg in args[:_MAX_ARGS] if isinstance(args, tuple) else ():
        # A string among the arguments is part of the text, which comes next.
        if not isinstance(arg, str) and (body := _mapping(arg)) is not None:
            yield body
    if "{" in text and (body := _parsed(text[text.index("{") :])) is not None:
        yield body


def _mapping(value: object) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
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
    try:
        text = raw[:MAX_TEXT].decode("utf-8", "replace") if isinstance(raw, bytes) else raw[:MAX_TEXT]
        text = text.lstrip()
        # `raw_decode` stops after one value, where `json.loads` raises on what follows it.
        value = _DECODER.raw_decode(text)[0] if text.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, Mapping) else None
