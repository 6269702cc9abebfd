"""Asks whether a value is of an abstract class, which refuses values whose class has no hash.

A class has no hash where its metaclass defines `__eq__` alone. An error here would be worse than a wrong answer: a call
that has succeeded would be reported as one that failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isawaitable
from typing import Any, TypeGuard

__all__ = ["is_awaitable", "is_instance", "is_mapping", "is_subclass"]

_MAPPINGS = (dict, Mapping)  # the first one refuses nothing


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Return whether a value is a dict, or of another class of mappings that has a hash."""
    return is_instance(value, _MAPPINGS)


def is_instance(value: object, classes: tuple[type, ...]) -> bool:
    """Return what `isinstance` returns, and False where it raises. Classes that refuse nothing come first."""
    try:
        return isinstance(value, classes)
    except TypeError:
        return False


def is_awaitable(value: object) -> bool:
    """Return whether a value can be awaited."""
    try:
        return isawaitable(value)
    except TypeError:
        return hasattr(type(value), "__await__")


def is_subclass(kind: type, classes: tuple[type, ...]) -> bool:
    """Return what `issubclass` returns, and False where it raises."""
    try:
        return issubclass(kind, classes)
    except TypeError:
        return False
