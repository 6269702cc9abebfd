"""Inspects functions that are put under a policy: sync or async, their name, and whether they can be retried."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import sys
from collections.abc import Callable
from typing import Any

from .._core.base.bounded_dict import BoundedDict

__all__ = [
    "announces_awaitable",
    "awaiting",
    "check_callable",
    "check_lookup",
    "check_reconcile",
    "checked_factory",
    "is_async",
    "is_context_manager_function",
    "is_mock",
    "name_of",
    "route_calls",
]

# Both decorators give every function that they make the same code object.
_CONTEXT_MANAGER_DECORATORS: tuple[Any, ...] = (contextlib.contextmanager, contextlib.asynccontextmanager)
_CONTEXT_MANAGER_CODES = tuple(decorator(lambda: iter(())).__code__ for decorator in _CONTEXT_MANAGER_DECORATORS)
_AWAITABLE = re.compile(r"([\w.]+\.)?(Awaitable|Coroutine)\b")
MAX_ROUTES = 1024  # compiled calls kept for one function


def route_calls(
    route: Callable[..., Any], build: Callable[[Any], Callable[..., Any]], *, asynchronous: bool = False
) -> Callable[..., Any]:
    """Return a function that compiles one call per route, at the route's first use.

    `route` gets the arguments of each call as `(args, kwargs)` and returns something hashable; `build` compiles the
    call of that route. The oldest routes are dropped where there are very many.
    """
    calls: BoundedDict[Any, Callable[..., Any]] = BoundedDict(MAX_ROUTES)

    def call(*args: Any, **kwargs: Any) -> Any:
        name = route(args, kwargs)
        compiled = calls.get(name)
        if compiled is None:
            compiled = calls[name] = build(name)
        return compiled(*args, **kwargs)

    if not asynchronous:
        return call

    async def call_async(*args: Any, **kwargs: Any) -> Any:
        return await call(*args, **kwargs)

    return call_async


def is_async(fn: Callable[..., Any]) -> bool:
    """Whether calling `fn` returns a coroutine."""
    if is_mock(fn):  # it makes up the flags that tell a coroutine function
        return isinstance(fn, sys.modules["unittest.mock"].AsyncMock)
    return any(map(inspect.iscoroutinefunction, _code_of(fn)))


def is_mock(value: object) -> bool:
    """Return whether this is a mock of `unittest`: it makes up every attribute, the flags of a generator too."""
    # Nobody has a mock who has not imported them. The class is absent while another thread is importing them.
    mock_class = getattr(sys.modules.get("unittest.mock"), "NonCallableMock", None)
    return mock_class is not None and isinstance(value, mock_class)


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
    if is_context_manager_function(fn):
        raise TypeError(
            f"{name_of(fn)}() makes a context manager: its errors are raised inside the `with` block, outside the "
            "call, so they could not be retried. Decorate the function that it calls"
        )
    if not is_mock(fn) and any(
        inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code) for code in _code_of(fn)
    ):
        raise TypeError(
            f"{name_of(fn)}() is a generator function: its errors are raised while it is iterated, outside the "
            "call, so they could not be retried. Decorate the function that it calls for each item"
        )


def announces_awaitable(fn: object) -> bool:
    """Return whether a function that is not async says in its return annotation that its result is to be awaited."""
    annotations = getattr(fn, "__annotations__", None)
    returned = annotations.get("return") if isinstance(annotations, dict) else None
    text = returned if isinstance(returned, str) else str(returned)
    return _AWAITABLE.match(text) is not None


def awaiting(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return an async function that awaits what `fn` returns."""

    @functools.wraps(fn)
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await fn(*args, **kwargs)

    return call


def is_context_manager_function(fn: object) -> bool:
    """Return whether a function was made by `contextlib.contextmanager` or `asynccontextmanager`."""
    return getattr(fn, "__code__", None) in _CONTEXT_MANAGER_CODES


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
