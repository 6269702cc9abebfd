"""Replaces the methods by which ccxt prepares a write, so that what they send counts as reads.

Signing in, asking for the account or approving a fee places no order, whatever HTTP verb it uses.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from .method_names import is_set_up
from .requests_sent import ATTEMPT, count_as_reads

__all__ = ["set_up_methods"]


def set_up_methods(original: type, *, asynchronous: bool) -> dict[str, Callable[..., Any]]:
    """Return these methods for the engines of a class."""
    methods = {
        name: method
        for base in reversed(original.__mro__)
        for name, method in vars(base).items()
        if inspect.isfunction(method) and is_set_up(name) and method.__name__ == name
    }
    # Not where a subclass has put another function in its place, whatever that one's own name is.
    methods = {name: method for name, method in methods.items() if getattr(original, name) is method}
    return {name: _as_set_up(method) for name, method in methods.items() if _fits(method, asynchronous)}


def _fits(method: Callable[..., Any], asynchronous: bool) -> bool:
    return inspect.iscoroutinefunction(method) is asynchronous


def _as_set_up(method: Callable[..., Any]) -> Callable[..., Any]:
    name = method.__name__
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def prepare_async(self: Any, *args: Any, **kwargs: Any) -> Any:
            with nullcontext() if _is_own_call(name) else count_as_reads():
                return await method(self, *args, **kwargs)

        return prepare_async

    @functools.wraps(method)
    def prepare(self: Any, *args: Any, **kwargs: Any) -> Any:
        with nullcontext() if _is_own_call(name) else count_as_reads():
            return method(self, *args, **kwargs)

    return prepare


def _is_own_call(name: str) -> bool:
    """Return whether it is the caller's own method that prepares nothing: it may have been declared a write."""
    attempt = ATTEMPT.get()
    return attempt is not None and attempt.operation == name
