"""Provides the proxy of a wrapped client: same class to `isinstance`, same attributes, same protocols.

A method is compiled at its first access and stored in the proxy's `__dict__`, so that later accesses do not reach
`__getattr__`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

from .._core.call.operation_info import OperationInfo
from .._pipeline.callables import (
    announces_awaitable,
    awaiting,
    is_async,
    is_context_manager_function,
    route_calls,
)
from .operation_rules import OperationRules
from .recompile import recompiled

__all__ = ["Proxy", "proxy_class"]


class Proxy:
    """Stands in for a client; attributes that it does not wrap are the client's own."""

    def __init__(self, client: Any, rules: OperationRules) -> None:
        self.__dict__["_resilience_client"] = client  # `__setattr__` would set them on the client
        self.__dict__["_resilience_rules"] = rules

    def __getattr__(self, name: str) -> Any:
        client = self.__dict__.get("_resilience_client")
        value = getattr(client, name)
        if name.startswith(("_", "resilience_")) or not _is_wrappable(value):
            return value
        method = self.__dict__[name] = _wrap_method(self, client, name, value)
        return method

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__.pop(name, None)
        setattr(self.__dict__["_resilience_client"], name, value)

    def __delattr__(self, name: str) -> None:
        self.__dict__.pop(name, None)
        delattr(self.__dict__["_resilience_client"], name)

    def __copy__(self) -> Any:
        return type(self)(copy(self.__dict__["_resilience_client"]), self.__dict__["_resilience_rules"])

    def __reduce_ex__(self, _protocol: Any) -> Any:
        raise TypeError("a wrapped client holds locks and clocks: pickle the client itself and wrap it again")

    def __dir__(self) -> list[str]:
        return dir(self.__dict__["_resilience_client"])

    def __repr__(self) -> str:
        return f"<resilient {self.__dict__['_resilience_client']!r}>"


def _is_wrappable(value: Any) -> bool:
    """Whether an attribute is a method to put under a policy: no class, generator or context manager."""
    if isinstance(value, type) or not (inspect.isroutine(value) or isinstance(value, partial) or is_async(value)):
        return False
    if is_context_manager_function(value):
        return False
    return not (inspect.isgeneratorfunction(value) or inspect.isasyncgenfunction(value))


def _wrap_method(proxy: Proxy, client: Any, name: str, method: Any) -> Any:
    """Return the method under its policy, or unchanged where the client says that it is not an operation."""
    get_info = _client_method(client, "resilience_operation_info")
    get_name = _client_method(client, "resilience_operation_name")
    if not is_async(method) and announces_awaitable(method):
        method = awaiting(method)
    rules, asynchronous = proxy.__dict__["_resilience_rules"], is_async(method)

    def under_policy(operation: str) -> Any:
        info = (
            OperationInfo(operation=operation, check_answers=True) if get_info is None else get_info(operation, proxy)
        )
        if info is None:
            return method

        def build() -> Any:
            if get_info is None:
                rules.check_key_on_reload(operation, method)
            return rules.compile(method, info)

        return recompiled(build, asynchronous=asynchronous)

    if get_name is None:
        return under_policy(name)
    return route_calls(
        lambda args, kwargs: get_name(name, args, kwargs) or name, under_policy, asynchronous=asynchronous
    )


def _client_method(client: Any, name: str) -> Any:
    """Return this method of the client if its class has it: a mock makes up any attribute of an instance."""
    return getattr(client, name) if getattr(client.__class__, name, None) is not None else None


# Python looks these up on the class and never calls `__getattr__` for them, so each proxy class defines those that its
# client's class has.
_FORWARDED = (
    "__len__", "__iter__", "__next__", "__contains__", "__getitem__", "__setitem__", "__delitem__", "__bool__",
    "__call__", "__eq__", "__hash__", "__str__", "__exit__", "__aexit__", "__aiter__", "__anext__",
)  # fmt: skip
_CLASSES: dict[tuple[type, type], type[Proxy]] = {}


def proxy_class(original: type, base: type[Proxy] = Proxy) -> type[Proxy]:
    """Return the proxy class for clients of this class: same name, same class to `isinstance`, same protocols."""
    cls = _CLASSES.get((original, base))
    if cls is None:
        namespace: dict[str, Any] = {"__class__": property(lambda _self: original), "__doc__": original.__doc__}
        for name in _FORWARDED:
            if getattr(original, name, None) is not getattr(object, name, None):
                namespace[name] = _forward(name)
        if hasattr(original, "__enter__"):
            namespace["__enter__"] = _enter
        if hasattr(original, "__aenter__"):
            namespace["__aenter__"] = _enter_async
        cls = _CLASSES[original, base] = type(original.__name__, (base,), namespace)
    return cls


def _forward(name: str) -> Callable[..., Any]:
    def forwarded(self: Proxy, *args: Any) -> Any:
        return getattr(self.__dict__["_resilience_client"], name)(*args)

    return forwarded


def _enter(self: Proxy) -> Any:
    client = self.__dict__["_resilience_client"]
    entered = client.__enter__()
    return self if entered is client else entered  # `with` must give the proxy, not the client behind it


async def _enter_async(self: Proxy) -> Any:
    client = self.__dict__["_resilience_client"]
    entered = await client.__aenter__()
    return self if entered is client else entered
