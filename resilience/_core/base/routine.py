"""Defines a routine: code that is written once for sync and async callers, as a generator that says what to call next.

A routine yields an `Invocation` and is sent what the function returned, or has what it raised thrown in. It waits for
nothing itself: `_drivers/routine_runner.py` runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple, TypeVar

__all__ = ["Invocation", "Routine"]

T = TypeVar("T")
_NO_KEYWORDS: Mapping[str, Any] = {}


class Invocation(NamedTuple):
    """A function to call with its arguments; an async runner awaits what it returns if that can be awaited."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = _NO_KEYWORDS


Routine = Generator[Invocation, Any, T]
"""Code that is written once. Its own clean-up stands in `finally`, as that of a function would."""
