"""Matches the globs of `operations` with names of operations; an HTTP method may be written in capitals."""

from __future__ import annotations

from fnmatch import fnmatchcase

__all__ = ["glob_matches", "with_lower_method"]

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def with_lower_method(glob: str) -> str:
    """Return a glob of requests as operations are named: `POST /v1/orders/*` becomes `post /v1/orders/*`."""
    method, space, path = glob.partition(" ")
    return method.lower() + space + path if method.upper() in _METHODS else glob


def glob_matches(glob: str, operation: str) -> bool:
    """Return whether a glob matches an operation; an operation of HTTP is named by its glob, which need not match it.

    Example:
        >>> glob_matches("POST /v1/*", "post /v1/*"), glob_matches("fetch_*", "fetch_ticker")
        (True, True)
    """
    lower = with_lower_method(glob)
    return operation in (glob, lower) or fnmatchcase(operation, glob) or fnmatchcase(operation, lower)
