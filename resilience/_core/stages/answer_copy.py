"""Copies answers that are plain data, so that whoever changes one changes no other.

What is no plain data is not copied at all. A response has an open body or a connection, a generator is used up by its
first reader, and the deep copy of an object of somebody else's class need not be what the object was.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
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
_MAX_DEPTH = 64
_NO_CONTENT = {"__dict__", "__weakref__"}


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
    copy_items = _CONTAINERS.get(kind)
    if copy_items is not None:
        return copy_items(answer, depth + 1)
    if _is_named_tuple(kind):
        return tuple.__new__(kind, [copy_of(item, depth + 1) for item in answer])
    return _copy_of_dataclass(answer, depth + 1)


def _copy_of_collection(answer: Any, depth: int) -> Any:
    return type(answer)([copy_of(item, depth) for item in answer])


def _copy_of_mapping(answer: Any, depth: int) -> Any:
    return type(answer)([(copy_of(key, depth), copy_of(item, depth)) for key, item in answer.items()])


_CONTAINERS: Mapping[type, Callable[[Any, int], Any]] = {
    list: _copy_of_collection,
    tuple: _copy_of_collection,
    set: _copy_of_collection,
    frozenset: _copy_of_collection,
    dict: _copy_of_mapping,
    OrderedDict: _copy_of_mapping,
    bytearray: lambda answer, _depth: bytearray(answer),
}


def _is_named_tuple(kind: type) -> bool:
    return kind.__bases__ == (tuple,) and hasattr(kind, "_fields") and kind.__dictoffset__ == 0


def _copy_of_dataclass(answer: Any, depth: int) -> Any:
    """Copy an object that is nothing but the fields of its dataclass."""
    kind = type(answer)
    if not is_dataclass(kind) or any("__new__" in vars(base) for base in kind.__mro__[:-1]):
        raise NotPlainError
    names = [field.name for field in fields(kind)]
    attributes = {*getattr(answer, "__dict__", {}), *_slots_of(kind)}
    if not attributes <= set(names):
        raise NotPlainError
    copied = object.__new__(kind)
    for name in names:
        object.__setattr__(copied, name, copy_of(getattr(answer, name), depth))
    return copied


def _slots_of(kind: type) -> set[str]:
    """Return the slots of a class and its bases, which need not be fields."""
    slots = [vars(base).get("__slots__", ()) for base in kind.__mro__]
    return {name for names in slots for name in ([names] if isinstance(names, str) else names)} - _NO_CONTENT
