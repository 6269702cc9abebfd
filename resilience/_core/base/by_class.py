"""Remembers what a function returns for a class, for classes without a hash too: those whose metaclass has none."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

__all__ = ["remember_by_class"]

T = TypeVar("T")
_MAX_CLASSES = 512  # a program may make classes without end


def remember_by_class(function: Callable[[type], T]) -> Callable[[type], T]:
    """Return `function` so that it runs once for each class. Safe across threads and tasks.

    It is `functools.lru_cache`, which alone would raise `TypeError` for a class that has no hash.
    """
    remembered: Any = lru_cache(maxsize=_MAX_CLASSES)(function)

    @wraps(function)
    def ask(kind: type) -> T:
        try:
            answer: T = remembered(kind)
        except TypeError:
            return function(kind)
        return answer

    return ask
