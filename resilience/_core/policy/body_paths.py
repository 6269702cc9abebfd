"""Reads dotted paths in the body of an answer, such as `error.code`; a path that meets a list goes into each item."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..base.abstract_classes import is_mapping

__all__ = ["Steps", "holds", "steps_of", "values_at"]

Steps = tuple[str, ...]
"""A dotted path, split into the keys that lead to its value."""


@lru_cache(maxsize=256)
def steps_of(path: str) -> Steps:
    """Split a dotted path into its keys."""
    return tuple(path.split("."))


def values_at(body: object, steps: Steps) -> list[Any]:
    """Return the values at a path: one, none, or those of each item of the lists on the way and at the end.

    The work is linear in the size of the body, which has been read from memory already.
    """
    values = [body]
    for step in steps:
        inner = [value.get(step) for value in values if is_mapping(value)]
        values = []
        for value in inner:
            if isinstance(value, (list, tuple)):
                values += value
            elif value is not None:
                values.append(value)
    return values


def holds(body: object, steps: Steps) -> bool:
    """Return whether the last key of a path is there; its value may be empty."""
    return any(is_mapping(parent) and steps[-1] in parent for parent in values_at(body, steps[:-1]))
