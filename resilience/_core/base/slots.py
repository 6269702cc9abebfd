"""Copies objects whose class has slots, without a call of `__init__`."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["copy_slots"]

T = TypeVar("T")


def copy_slots(value: T) -> T:
    """Return an object of the same class with the same attributes: those that the `__slots__` of its class name."""
    kind = type(value)
    copy = kind.__new__(kind)
    for name in kind.__slots__:  # type: ignore[attr-defined]
        setattr(copy, name, getattr(value, name))
    return copy
