"""Finds what other packages offer through entry points, and names the package in each mistake.

Nothing is imported before somebody needs it, so that a package that is broken breaks only what uses it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

__all__ = ["describe_entry_point", "installed", "load_entry_point"]


def installed(group: str) -> Mapping[str, Any]:
    """Return the entry points of a group by their names."""
    return _read(group, tuple(sys.path))


# Cached, because it reads the metadata of every installed package. By the path, because programs extend that.
@lru_cache(maxsize=16)
def _read(group: str, _path: tuple[str, ...]) -> Mapping[str, Any]:
    from importlib.metadata import entry_points  # slow to import, and not needed for what is built in

    return {point.name: point for point in entry_points(group=group)}


def load_entry_point(point: Any) -> Any:
    """Return the object that an entry point names.

    Raises:
        ImportError: it cannot be imported; the message names the package and the entry point.
    """
    try:
        return point.load()
    except Exception as error:  # the code of another package may raise anything while it is imported
        message = f"{describe_entry_point(point)} cannot be loaded: {type(error).__name__}: {error}"
        raise ImportError(message) from error


def describe_entry_point(point: Any) -> str:
    """Return an entry point with its group, and the package that declares it."""
    package = getattr(point, "dist", None)
    origin = "" if package is None else f" of the package {package.name} {package.version}"
    return f"the entry point {point.name!r} = {point.value!r} in {point.group}{origin}"
