"""Inspects functions that are put under a policy: sync or async, their name, and whether they can be retried."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["check_callable", "check_lookup", "check_reconcile", "checked_factory", "is_async", "name_of", "route_calls"]

MAX_ROUTES = 1024  # compiled calls kept for one function


def route_calls(
    route: Callable[..., Any], build: Callable[[Any], Callable[..., Any]], *, asynchronous: bool = False
) -> Callable[..., Any]:
    """Return a function that compiles one call per route, at the route's first use.

    `route` gets the arguments of each call as `(args, kwargs)` and returns something hashable; `build` compiles the
    call of that route. The oldest routes are dropped where there are very many.
    """
    calls: dict[Any, Callable[..., Any]] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        name = route(args, kwargs)
        compiled = calls.get(name)
        if compiled is None:
            if len(calls) >= MAX_ROUTES:
                calls.pop(next(iter(calls)), None)  # `None`: another thread may have dropped the same one
            compiled = calls[name] = build(name)
        return compiled(*args, **kwargs)

    if not asynchronous:
        return call

    async def call_async(*args: Any, **kwargs: Any) -> Any:
        return await call(*args, **kwargs)

    return call_async


def is_async(fn: Callable[..., Any]) -> bool:
    """Whether calling `fn` returns a coroutine."""
    return any(map(inspect.iscoroutinefunction, _code_of(fn)))


def _code_of(fn: Any) -> tuple[Any, ...]:
    """Return the functions that a call of `fn` can run: `fn`, and its `__call__` if it is an instance.

    For a class only the class is returned.
    """
    return (fn,) if isinstance(fn, type) else (fn, getattr(fn, "__call__", None))  # noqa: B004


def name_of(fn: Callable[..., Any]) -> str:
    """Return the qualified name of a function, without the functions around its definition."""
    name = getattr(fn, "__qualname__", None) or getattr(getattr(fn, "func", None), "__qualname__", None)
    return str(name or type(fn).__name__).rpartition("<locals>.")[2]


def check_callable(fn: object) -> None:
    """Reject what cannot be retried.

    Raises:
        TypeError: `fn` cannot be called, or it is a generator function.
    """
    if not callable(fn):
        raise TypeError(f"expected a function or another callable, got {type(fn).__name__}")
    if any(inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code) for code in _code_of(fn)):
        raise TypeError(
            f"{name_of(fn)}() is a generator function: its errors are raised while it is iterated, outside the "
            "call, so they could not be retried. Decorate the function that it calls for each item"
        )


def check_reconcile(fn: Callable[..., Any], reconcile: object) -> None:
    """Reject a reconciler that could never answer.

    Raises:
        TypeError: `reconcile` cannot be called with the call alone, it is a class, or it is async where the function
            is not.
    """
    if reconcile is None:
        return
    if not callable(reconcile):
        raise TypeError(f"reconcile takes a function, got {type(reconcile).__name__}")
    if is_async(reconcile) and not is_async(fn):
        raise TypeError(f"{name_of(fn)}() is not async, so its reconcile {name_of(reconcile)}() cannot be async")
    check_lookup(reconcile)


def check_lookup(reconcile: Callable[..., Any]) -> None:
    """Reject a reconciler that cannot be called with the call alone, or that is a class.

    Raises:
        TypeError: it is one of these.
    """
    if isinstance(reconcile, type):
        name = reconcile.__name__
        raise TypeError(f"reconcile takes a function that returns Found(...) or NOT_FOUND, got the class {name}")
    try:
        signature = inspect.signature(reconcile)
    except (TypeError, ValueError):
        return  # a builtin without a signature
    try:
        signature.bind(None)
    except TypeError:
        raise TypeError(f"reconcile is called with one argument, the call: {name_of(reconcile)}{signature}") from None


def checked_factory(make_key: object, key: str | None, operation: str) -> Callable[[], str]:
    """Return a function that makes keys by `make_key` and checks each one.

    Raises:
        TypeError: `make_key` cannot be called, or no parameter carries the key. The returned function raises it for
            a key that is not a string or is empty; nothing has been sent then.
    """
    if not callable(make_key):
        raise TypeError(f"key_factory takes a function, got {type(make_key).__name__}")
    if key is None:
        raise TypeError(f"{operation}: key_factory needs key=, the name of the parameter that carries the key")

    def make_checked_key() -> str:
        made = make_key()
        if not isinstance(made, str) or not made:
            raise TypeError(f"{operation}: key_factory must return a string that is not empty, got {made!r}")
        return made

    return make_checked_key
