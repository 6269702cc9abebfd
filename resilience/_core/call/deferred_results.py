"""Finds results whose work is not done yet: awaitables, futures and context managers that a function has only made.

Such a result is no success of the call: what can fail happens later, outside the policy.
"""

from __future__ import annotations

from contextlib import _AsyncGeneratorContextManager, _GeneratorContextManager
from types import AsyncGeneratorType, CoroutineType
from typing import Any

from ..base.abstract_classes import is_subclass
from ..classify.class_paths import class_paths

__all__ = ["deferred_error", "is_deferred", "is_later"]

_FUTURES = frozenset({"concurrent.futures.Future", "multiprocessing.pool.ApplyResult"})
_CONTEXT_MANAGERS = (_GeneratorContextManager, _AsyncGeneratorContextManager)
_MAX_METHODS = 8
"""Public attributes of an awaitable that is nothing else; a coroutine has 3 methods and 5 other attributes."""
_MAX_CLASSES = 512  # whose answer is remembered
_answers: dict[type, bool] = {}


def is_deferred(kind: type) -> bool:
    """Return whether the results of a class are work that is not done yet. Safe across threads and tasks."""
    try:
        answer = _answers.get(kind)
    except TypeError:  # a class without a hash, because its metaclass has none
        return hasattr(kind, "__await__") and _is_small(kind)  # `issubclass` with an abstract class refuses it too
    if answer is None:
        if len(_answers) >= _MAX_CLASSES:
            _answers.clear()
        answer = _answers[kind] = _is_deferred(kind)
    return answer


def _is_deferred(kind: type) -> bool:
    if issubclass(kind, (CoroutineType, AsyncGeneratorType, *_CONTEXT_MANAGERS)):
        return True
    if not _FUTURES.isdisjoint(class_paths(kind)):
        return True
    # An awaitable with many methods is a client that is awaited to connect, such as that of redis or asyncpg.
    return hasattr(kind, "__await__") and (_is_small(kind) or hasattr(kind, "add_done_callback"))


def is_later(kind: type) -> bool:
    """Return whether what a method makes of this class is to be awaited, or entered: a proxy can do that itself."""
    if is_subclass(kind, _CONTEXT_MANAGERS):
        return True
    if hasattr(kind, "__await__"):
        return is_deferred(kind)
    entered = hasattr(kind, "__aenter__") or hasattr(kind, "__enter__")
    return entered and kind.__module__ != "builtins" and _is_small(kind)


def _is_small(kind: type) -> bool:
    return sum(not name.startswith("_") for name in dir(kind)) <= _MAX_METHODS


def deferred_error(result: Any, operation: str) -> TypeError:
    """Return the error for such a result, and close it if it has not begun."""
    name = type(result).__name__
    if isinstance(result, CoroutineType):
        result.close()  # else Python warns that it was never awaited
        return TypeError(f"{operation} returned a coroutine: wrap it as an async function")
    if is_subclass(type(result), _CONTEXT_MANAGERS):
        what, remedy = f"a context manager ({name})", "put what is called inside the `with` block under the policy"
    elif isinstance(result, AsyncGeneratorType):
        what, remedy = f"an async generator ({name})", "put the function that it calls for each item under the policy"
    else:
        what, remedy = f"a {name}, whose work may still be under way", "wait for it inside the function"
        if hasattr(result, "send") and hasattr(result, "close"):
            result.close()
    error = TypeError(f"{operation} returned {what}: its errors would come later, outside the policy; {remedy}")
    error.resilience_executed = "maybe"  # type: ignore[attr-defined]
    return error
