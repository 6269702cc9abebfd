"""What is asked of a function that is put under a policy: its colour, its name, whether it can be made safe."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["check_callable", "check_reconcile", "is_async", "name_of", "route_calls"]

_MOST = 1024  # compiled routes kept for one function


def route_calls(
    route: Callable[..., Any], build: Callable[[Any], Callable[..., Any]], *, asynchronous: bool = False
) -> Callable[..., Any]:
    """Return a function that compiles one call a route, on first use, and keeps a bounded number of them."""
    calls: dict[Any, Callable[..., Any]] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        name = route(args, kwargs)
        found = calls.get(name)
        if found is None:
            if len(calls) >= _MOST:
                calls.pop(next(iter(calls)), None)
            found = calls[name] = build(name)
        return found(*args, **kwargs)

    if not asynchronous:
        return call

    async def acall(*args: Any, **kwargs: Any) -> Any:
        return await call(*args, **kwargs)

    return acall


def is_async(fn: Callable[..., Any]) -> bool:
    """Tell whether calling `fn` gives a coroutine."""
    return any(map(inspect.iscoroutinefunction, _called(fn)))


def _called(fn: Any) -> tuple[Any, ...]:
    """Return what runs when `fn` is called: itself, or the `__call__` of an object (a class makes an object)."""
    return (fn,) if isinstance(fn, type) else (fn, getattr(fn, "__call__", None))  # noqa: B004


def name_of(fn: Callable[..., Any]) -> str:
    """Return the name that a function goes by: its qualified name without the place where it was defined."""
    name = getattr(fn, "__qualname__", None) or getattr(getattr(fn, "func", None), "__qualname__", None)
    return str(name or type(fn).__name__).rpartition("<locals>.")[2]


def check_callable(fn: object) -> None:
    """Refuse what cannot be made safe.

    Raises:
        TypeError: it cannot be called, or it is a generator function.
    """
    if not callable(fn):
        raise TypeError(f"expected a function or another callable, got {type(fn).__name__}")
    if any(inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one) for one in _called(fn)):
        raise TypeError(
            f"{name_of(fn)}() is a generator function: its errors are raised while it is iterated, outside the "
            "call, so they could not be retried. Decorate the function that it calls for each item"
        )


def check_reconcile(fn: Callable[..., Any], reconcile: object) -> None:
    """Refuse a reconciler that could never answer: each of its errors would mean "ask again", up to the deadline.

    Raises:
        TypeError: it cannot be called, or it is async where the function is not.
    """
    if reconcile is None:
        return
    if not callable(reconcile):
        raise TypeError(f"reconcile takes a function, got {type(reconcile).__name__}")
    if is_async(reconcile) and not is_async(fn):
        raise TypeError(f"{name_of(fn)}() is no async function, so its reconcile {name_of(reconcile)}() cannot be one")
