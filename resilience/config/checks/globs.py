"""Tells whether a glob matches every name that another glob matches."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate

__all__ = ["is_glob", "new_cover_check"]

_MAX_LENGTH = 200  # a longer glob covers only its equals: the work grows with the product of the lengths


def is_glob(text: str) -> bool:
    """Return whether a text has wildcards."""
    return any(wildcard in text for wildcard in "*?[")


def new_cover_check(outer: str) -> Callable[[str], bool]:
    """Return a function that says whether `outer` matches every name that a glob matches; False if it is not certain.

    If the only wildcard of `outer` is the star, the other glob is read like a name: each of its wildcards then falls
    under a star.
    """
    if not is_glob(outer) or len(outer) > _MAX_LENGTH:
        return outer.__eq__
    matches = re.compile(translate(outer)).match
    has_stars_only = set("?[").isdisjoint(outer)
    return lambda inner: inner == outer or ((has_stars_only or not is_glob(inner)) and matches(inner) is not None)
