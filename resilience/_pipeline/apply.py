"""Defines the functions behind `Pipeline.call` and `acall`, which call their first argument with the others."""

from __future__ import annotations

from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from .._core.base.abstract_classes import is_awaitable
from .callables import check_callable, name_of

__all__ = ["apply", "apply_async"]

_GENERATORS = (GeneratorType, AsyncGeneratorType)


def apply(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call `fn`; a generator function is rejected."""
    result = fn(*args, **kwargs)
    if type(result) in _GENERATORS:
        check_callable(fn)  # rejects a generator function; an ordinary function may return a generator
    return result


async def apply_async(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Await what `fn` returns.

    Raises:
        TypeError: it cannot be awaited.
    """
    result = fn(*args, **kwargs)
    if type(result) is not CoroutineType and not is_awaitable(result):
        check_callable(fn)
        raise TypeError(
            f"{name_of(fn)}() returned {type(result).__name__}, which cannot be awaited: use call, not acall"
        )
    return await result
