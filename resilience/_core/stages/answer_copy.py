"""Copies answers that are plain data, so that whoever changes one changes no other.

What is no plain data is not copied at all. A response has an open body or a connection, a generator is used up by its
first reader, and the deep copy of an object of somebody else's class need not be what the object was.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any
from uuid import UUID

__all__ = ["NotPlainError", "copy_of"]

_UNCHANGEABLE = frozenset(
    {type(None), bool, int, float, complex, str, bytes, Decimal, Fraction, date, datetime, time, timedelta, UUID}
)
_SEQUENCES = frozenset({list, tuple, set, frozenset})
_MAX_DEPTH = 64


class NotPlainError(Exception):
    """The answer is no plain data, or is nested too deeply."""


def copy_of(answer: Any, depth: int = 0) -> Any:
    """Return a copy that shares nothing that can be changed with the answer.

    Raises:
        NotPlainError: it cannot be copied.
    """
    kind = type(answer)
    if kind in _UNCHANGEABLE or issubclass(kind, Enum):
        return answer
    if depth > _MAX_DEPTH:
        raise NotPlainError
    if kind is dict or kind is OrderedDict:
        return kind([(copy_of(key, depth + 1), copy_of(item, depth + 1)) for key, item in answer.items()])
    if kind in _SEQUENCES:
        return kind([copy_of(item, depth + 1) for item in answer])
    if kind is bytearray:
        return bytearray(answer)
    if _is_named_tuple(kind):
        return tuple.__new__(kind, [copy_of(item, depth + 1) for item in answer])
    return _copy_of_dataclass(answer, depth)


def _is_named_tuple(kind: type) -> bool:
    return kind.__bases__ == (tuple,) and hasattr(kind, "_fields") and kind.__dictoffset__ == 0


def _copy_of_dataclass(answer: Any, depth: int) -> Any:
    """Copy an object that is nothing but the fields of its dataclass."""
    kind = type(answer)
    names = [field.name for field in fields(kind)] if is_dataclass(kind) else None
    try:
        attributes = vars(answer).keys() - set(names or ())
    except TypeError:
        attributes = set()  # with slots
    if names is None or attributes or any("__new__" in vars(base) for base in kind.__mro__[:-1]):
        raise NotPlainError
    copied = object.__new__(kind)
    for name in names:
        object.__setattr__(copied, name, copy_of(getattr(answer, name), depth + 1))
    return copied
