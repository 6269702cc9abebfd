"""Refuses globs given to `wrap` that can match no operation of the client: their options would never take effect."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from .._core.policy.operation_globs import glob_matches
from .._pipeline.callables import is_mock

__all__ = ["check_method_globs", "check_request_globs"]

_METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
_EXAMPLE = "'post', or a method and a path such as 'post /v1/orders/*'"


def _may_be_method(glob: str) -> bool:
    """Return whether a glob matches a usual HTTP method, or is written like another one, such as PROPFIND."""
    return (glob.isupper() and glob.isalpha()) or any(glob_matches(glob, name) for name in _METHODS)


def check_request_globs(globs: Iterable[str]) -> None:
    """Check the globs of an HTTP client, whose operations are methods, or methods with a path.

    Raises:
        TypeError: a glob names neither.
    """
    for glob in globs:
        method, _, path = glob.partition(" ")
        if not _may_be_method(method):
            raise TypeError(f"operations[{glob!r}] matches no request: write an HTTP method, {_EXAMPLE}")
        if path and not path.startswith(("/", "*", "?", "[")):
            raise TypeError(f"operations[{glob!r}] matches no request: a path begins with '/'")


def check_method_globs(globs: Iterable[str], client: Any) -> None:
    """Check the globs of a client whose operations are its methods, those of its resources with their path.

    What a client makes on demand is not known beforehand, and its globs are not checked.

    Raises:
        TypeError: a glob matches no method; the text names one with a similar name.
    """
    if is_mock(client) or hasattr(type(client), "__getattr__"):
        return
    names = [name for name in dir(client) if not name.startswith("_")] + [type(client).__name__]
    for glob in globs:
        first, dot, _ = glob.partition(".")
        if "/" in glob or any(glob_matches(first if dot else glob, name) for name in names):
            continue
        near = get_close_matches(first, [name for name in names if dot or _may_be_called(client, name)], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise TypeError(f"operations[{glob!r}] matches no method of {type(client).__name__}{hint}")


def _may_be_called(client: Any, name: str) -> bool:
    value = inspect.getattr_static(client, name, None)
    return callable(value) or isinstance(value, (staticmethod, classmethod))
