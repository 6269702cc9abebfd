"""Describes what the classifier sees of an error as a key: errors with one key mean the same, so it is classified once.

The key has the classes, texts, arguments, attributes and causes that are read of an error, and of a response of
requests or httpx its status, its body and the headers about waiting. It is made of plain values alone. An error that
has anything else (a mapping, an object), or whose class computes attributes when they are read (`__getattr__`, a
property), has no key and is classified anew each time. No registered secret changes what an error means: secrets are
removed where something is written.
"""

from __future__ import annotations

import re
from functools import partial
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any

from ...errors import RejectedError
from ..base.bounded_dict import BoundedDict
from .attributes import get, text_of, url_of
from .evidence import NAMES

__all__ = ["READ_NAMES", "Shape", "shape_of"]

Shape = tuple[Any, ...]

_READ = frozenset({*NAMES, "errno", "reason", "retry_after"}) - {"args"}
"""Every attribute that is read of an error, apart from those of `BaseException`."""
_SCALARS = frozenset({type(None), bool, int, float, str})
_COMPUTED = ("__getattr__", "__getattribute__", "__class__", "__cause__", "__context__", "__suppress_context__", "args")
"""Names by which a class of Python changes what reading an attribute means."""
_MAX_CLASSES = 512
_MAX_DEPTH = 4  # of an error in the causes or arguments of another
_MAX_PARTS = 160
_MAX_VALUES = 40
_MAX_TEXT = 512  # a longer text is unlikely to come again
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,16}>")
_CLASSIFIED_BY_OTHERS = (BaseExceptionGroup, RejectedError)  # by its members, and by itself
_RESPONSES = frozenset({("requests.models", "Response"), ("httpx", "Response")})
"""Classes of responses whose attributes are in their `__dict__`, but for `url`, which is harmless to read."""
_READ_OF_RESPONSES = _READ - {"_content", "headers", "url"}
_HEADERS = ("retry-after", "date")
_NUMBER = re.compile(r"[0-9]{1,9}")
_INSTANT = re.compile(r"until|unban|throttled|retry_?after", re.IGNORECASE)  # see `retry_hints.py`
_HEAP_TYPE = 1 << 9  # `Py_TPFLAGS_HEAPTYPE`: not a class of C that cannot be changed


class _Mark:
    """Separates the parts of a key."""


_END, _CAUSE, _CONTEXT = _Mark(), _Mark(), _Mark()
_PLAIN = frozenset({*_SCALARS, _Mark})
READ_NAMES: BoundedDict[type, tuple[str, ...] | None] = BoundedDict(_MAX_CLASSES)
"""By class of errors: the attributes that are read of them and may not be in their `__dict__`.

None where reading an attribute may run code of somebody else, and for errors that are classified by other things:
groups, and rejections.
"""


def shape_of(error: object) -> Shape | None:
    """Return the key of an error, or None where it cannot have one. Never raises."""
    parts: list[Any] = []
    try:
        has_key = _add_error(parts, error, 0) if isinstance(error, BaseException) else _add_response(parts, error, "")
        return tuple(parts) if has_key else None
    except Exception:  # whatever a foreign object did
        return None


def _add_error(parts: list[Any], error: Any, depth: int) -> bool:
    """Add all that is read of an error; return False where that is not possible."""
    kind = type(error)
    try:
        names = READ_NAMES[kind]
    except KeyError:
        names = READ_NAMES[kind] = _names_of(kind)
    if names is None or depth > _MAX_DEPTH or len(parts) > _MAX_PARTS:
        return False
    text, args = text_of(error), error.args
    if " at 0x" in text and "{" not in text:
        # The address of an object: no code, no status and no row is found by it, and it differs for each connection.
        text, args = _ADDRESS.sub("", text), tuple([_without_address(value) for value in args])
    parts += (kind, text)
    held = error.__dict__
    values = [*args, _END, *[getattr(error, name, None) for name in names]] if names else [*args, _END]
    for name in held:
        if name in _READ:
            values += (name, held[name])
    is_alone, cause, context = error.__suppress_context__, error.__cause__, error.__context__
    if cause is not None:
        values += (_CAUSE, cause)
    if context is not None and not is_alone:  # else it explains nothing
        values += (_CONTEXT, context)
    return len(text) <= _MAX_TEXT and len(values) <= _MAX_VALUES and _add_values(parts, values, text, depth)


def _add_values(parts: list[Any], values: list[Any], text: str, depth: int) -> bool:
    """Add values with their classes, because 1 equals True and 1.0; return False where one of them is not plain."""
    kinds = [*map(type, values)]  # not `__class__`, by which an object may claim to be a text
    if _PLAIN.issuperset(kinds):  # nearly every error: no value is looked at one by one
        # No key of the loop below has the class `_Mark` in it, so that keys of the two kinds differ.
        parts += (*kinds, *values, _END)
        return max([len(value) for value in values if type(value) is str], default=0) <= _MAX_TEXT
    for value in values:
        kind = type(value)
        if kind is str:
            if len(value) > _MAX_TEXT:
                return False
            parts.append(value)
        elif kind in _SCALARS:
            parts += (kind, value)
        elif kind is _Mark:
            parts.append(value)
        elif isinstance(value, BaseException):
            if not _add_error(parts, value, depth + 1):
                return False
        elif not _add_response(parts, value, " ".join([text, *(one for one in values if type(one) is str)])):
            return False
    parts.append(_END)
    return True


def _add_response(parts: list[Any], response: Any, texts: str) -> bool:
    """Add all that is read of a response of a known class; return False for anything else.

    Args:
        parts: where it is added.
        response: the response.
        texts: what else may say for how long to wait.
    """
    kind = type(response)
    if (kind.__module__, kind.__name__) not in _RESPONSES:
        return False
    held = response.__dict__
    body = held.get("_content")
    values = [value for name in held if name in _READ_OF_RESPONSES for value in (name, held[name])]
    if type(body) is not bytes or len(body) > _MAX_TEXT or not all(type(value) in _SCALARS for value in values):
        return False
    parts += (kind, body, url_of(partial(get, response)), *map(type, values), *values, _END)
    waits = {name: value for key, value in held["headers"].items() if (name := key.lower()) in _HEADERS}
    after = waits.get("retry-after")
    # The date tells when an instant is, and nothing else. It differs from second to second.
    if _NUMBER.fullmatch(after or "") or (after is None and not (_INSTANT.search(texts) or _INSTANT.search(str(body)))):
        waits.pop("date", None)
    parts += (*sorted(waits.items()), _END)
    return True


def _without_address(value: Any) -> Any:
    return _ADDRESS.sub("", value) if type(value) is str else value


def _names_of(kind: type) -> tuple[str, ...] | None:
    """Return what `READ_NAMES` has for a class."""
    if (
        type(kind) is not type
        or not issubclass(kind, Exception)
        or issubclass(kind, (BaseExceptionGroup, RejectedError))
    ):
        return None
    names: dict[str, None] = {}
    for base in kind.__mro__:
        held = vars(base)
        if base.__flags__ & _HEAP_TYPE and _computes(held):
            return None
        for name in _READ.intersection(held):
            if type(held[name]) is not MemberDescriptorType and type(held[name]) not in _SCALARS:
                return None
            names[name] = None
    return tuple(sorted(names))


def _computes(held: Any) -> bool:
    own_dict = held.get("__dict__")
    return any(name in held for name in _COMPUTED) or not isinstance(own_dict, (GetSetDescriptorType, type(None)))
