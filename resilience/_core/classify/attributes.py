"""Reads attributes and texts of foreign objects without ever raising.

An error of somebody's client may raise from a property, from `__getattr__` or from `__str__`. Such an attribute
counts as absent: the rest of the object is still read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["MAX_TEXT", "ReadAttribute", "attribute_reader", "get", "result_reader", "text_of", "url_of"]

MAX_TEXT = 65_536
"""Characters of a text, or bytes of a body, that are looked at."""

ReadAttribute = Callable[[str], Any]
"""Returns an attribute of the object in question, or None."""


def get(source: object, name: str) -> Any:
    """Return an attribute, or None when there is none or it raises."""
    try:
        return getattr(source, name, None)
    except Exception:
        return None


def attribute_reader(error: object, names: tuple[str, ...]) -> ReadAttribute:
    """Return a function that gives the attributes of these names.

    All are read at once, in one `try`: most are absent, and `get` would enter a `try` and a function for each.
    Where one of them raises, each is read by itself.
    """
    try:
        return {name: getattr(error, name, None) for name in names}.get
    except Exception:
        return partial(get, error)


def result_reader(result: object) -> ReadAttribute:
    """Return a function that gives the attributes of a returned value.

    Of a response that has `resilience_status`, only what the integration has put on it: the properties of a client
    that nobody knows may read from its socket.
    """
    if get(result, "resilience_status") is None:
        return partial(get, result)
    return lambda name: get(result, name) if name.startswith("resilience_") else None


def text_of(error: object) -> str:
    """Return an error's text, at most `MAX_TEXT` characters; empty where `str` raises."""
    try:
        text = str(error)
        # A subclass of `str` may override slicing; `str.__str__` copies its characters into a plain `str`.
        return text[:MAX_TEXT] if type(text) is str else str.__str__(text)[:MAX_TEXT]
    except Exception:
        return ""


def url_of(read: ReadAttribute) -> str:
    """Return the URL that answered without its query, which may have a signature in it; empty where it is not known."""
    try:
        url = read("resilience_url") or read("url")
        return "" if url is None else str(url)[:MAX_TEXT].partition("?")[0]
    except Exception:
        return ""
