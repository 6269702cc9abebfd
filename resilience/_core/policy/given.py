"""Types a setting twice: what a constructor may be given, and what is read from the settings afterwards.

A deadline may be given as `"20s"` and is always read as a float. Type checkers take the type of a constructor's
argument from `__set__` of a field whose type is a descriptor, and that of the attribute from `__get__`. At run time
`Given[Read, Input]` is `Read`, so that the annotations are what the validator reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .codes import Category

__all__ = ["CategoryName", "Duration", "Given", "Keys", "Number", "default"]

Duration = float | str | timedelta
"""Seconds, a text such as `20s`, or a `timedelta`."""
Number = float | str
"""A rate or a share: a number, or a text such as `10/s` or `20%`."""
Keys = Mapping[str, Any]
"""The settings of a section by name."""
CategoryName = Category | str

if TYPE_CHECKING:
    Read_co = TypeVar("Read_co", covariant=True)
    Input_contra = TypeVar("Input_contra", contravariant=True)

    class Given(Generic[Read_co, Input_contra]):
        """A setting that is read as the first type and may be given as the second."""

        def __get__(self, settings: object, owner: Any = None) -> Read_co: ...
        def __set__(self, settings: object, value: Input_contra) -> None: ...

else:

    class Given:
        """A setting that is read as the first type and may be given as the second."""

        def __class_getitem__(cls, types: tuple[Any, Any]) -> Any:
            return types[0]


def default(value: Any) -> Any:
    """Return a setting's default; typed as anything, since the field's type is not the type of what is read."""
    return value
