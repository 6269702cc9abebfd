"""Finds the idempotency key of a call in a finished request, in whatever form its API has it.

A key that a client dropped on the way must not be looked up: "not found" would then be no proof, and the write would
be sent again. So the finished request is searched, not the arguments.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

__all__ = ["carries_key", "contains_word"]

# A whole base64 text: payload headers, form fields, and the three parts of a JSON web token.
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")


def carries_key(key: str, url: object, headers: object, body: object) -> bool:
    """Return whether a request carries the key: as given, percent-encoded, JSON-escaped, or inside base64.

    The key counts only as a whole word: `a1` is not in `a12`, but it is in `t-a1`.

    Args:
        key: the key of the call.
        url: the URL, with its query.
        headers: a mapping, or pairs.
        body: text, bytes, or a mapping or pairs of form fields; anything else carries no key.
    """
    if not key:
        return False
    # The common case costs a microsecond: the key as it is, in the URL or in the body.
    if (type(url) is str and contains_word(url, key)) or (type(body) is str and contains_word(body, key)):
        return True
    texts = [*_texts(url), *_texts(body), *_texts(headers)]
    if any(contains_word(text, key) for text in texts):
        return True
    escaped = json.dumps(key)[1:-1]
    forms = (key, escaped, escaped.replace("/", "\\/"))
    return any(contains_word(text, form) for raw in texts for text in (raw, *_decoded(raw)) for form in forms)


def contains_word(text: str, key: str) -> bool:
    """Return whether the key is a whole word of a text: `a1` is in `t-a1`, and not in `a12`."""
    # No regular expression: each key would compile its own.
    start = text.find(key)
    while start >= 0:
        end = start + len(key)
        if not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
            return True
        start = text.find(key, start + 1)
    return False


def _texts(source: Any) -> Iterator[str]:
    """Yield the texts of a URL, of headers, or of a body."""
    if isinstance(source, str):
        yield source
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield bytes(source).decode("utf-8", "replace")
    elif isinstance(source, (int, float)):
        yield str(source)
    elif isinstance(source, Mapping):
        for name, value in source.items():
            yield from _texts(name)
            yield from _texts(value)
    elif isinstance(source, (list, tuple)):
        for item in source:
            yield from _texts(item)


def _decoded(text: str) -> Iterator[str]:
    """Yield the text without its percent escapes, and what the base64 texts in it say."""
    # Decoding covers every spelling of the key: `%2f` and `%2F`, `+` and `%20`, escapes that are not needed.
    plain = unquote_plus(text)
    yield plain
    for encoded in (*_BASE64.findall(text), *(_BASE64.findall(plain) if plain != text else ())):
        standard = encoded.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield b64decode(standard + "=" * (-len(standard) % 4)).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            continue
