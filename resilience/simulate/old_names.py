"""Keeps the simulator's names of version 0.1 working for one more version, each with a `DeprecationWarning`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from .._core.base.deprecation import warn
from .._core.policy.old_spellings import OldSpelling

__all__ = ["renamed_attribute", "renamed_keyword"]

P = ParamSpec("P")
R = TypeVar("R")


def renamed_attribute(
    class_name: str, old: str, new: str, translate: Callable[[Any], Any] = lambda value: value
) -> property:
    """Return a property under the old name that reads the new attribute; `translate` gives the value its old shape."""

    def read(self: Any) -> Any:
        warn(f"{class_name}.{old} is deprecated: use .{new}")
        return translate(getattr(self, new))

    return property(read, doc=f"The name of `{new}` in version 0.1.")


def renamed_keyword(name: str, old: str, new: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take a keyword argument by its old name too.

    Args:
        name: the function or class in messages.
        old: the keyword of version 0.1.
        new: the keyword now. Both together raise TypeError.
    """
    spelling = OldSpelling(old, new)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def read_old_name(*args: P.args, **keywords: P.kwargs) -> R:
            if old in keywords:
                if new in keywords:
                    raise TypeError(f"{name}: {spelling.conflict()}")
                keywords[new] = keywords.pop(old)
                warn(f"{name}: {spelling.deprecation(None)}")
            return function(*args, **keywords)

        return read_old_name

    return decorate
