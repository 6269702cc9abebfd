"""The proxy that passes for a wrapped client: same class to `isinstance`, same attributes and context managers.

A method is compiled on its first use and kept on the proxy.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

from .._core.call.operation_info import OperationInfo
from .._pipeline.callables import is_async, route_calls
from .operation_rules import OperationRules
from .recompile import recompiled

__all__ = ["Proxy", "proxy_class"]


class Proxy:
    """Stands in for a client. What it does not wrap it hands through."""

    def __init__(self, client: Any, rules: OperationRules) -> None:
        self.__dict__["_resilience_client"] = client
        self.__dict__["_resilience_rules"] = rules

    def __getattr__(self, name: str) -> Any:
        client = self.__dict__.get("_resilience_client")
        value = getattr(client, name)
        if name.startswith(("_", "resilience_")) or not _wrappable(value):
            return value
        wrapped = _method(self, client, name, value)
        self.__dict__[name] = wrapped
        return wrapped

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


def _wrappable(value: Any) -> bool:
    """Tell whether an attribute is a method to put under a policy: no class, no generator function."""
    if isinstance(value, type) or not (inspect.isroutine(value) or isinstance(value, partial) or is_async(value)):
        return False
    return not (inspect.isgeneratorfunction(value) or inspect.isasyncgenfunction(value))


def _method(proxy: Proxy, client: Any, name: str, method: Any) -> Any:
    """Return the method under its policy, or as it is when the client says so."""
    bind = _said(client, "resilience_operation_info")
    route = _said(client, "resilience_operation_name")
    rules = proxy.__dict__["_resilience_rules"]

    def compiled(operation: str) -> Any:
        info = OperationInfo(operation=operation) if bind is None else bind(operation, proxy)
        if info is None:
            return method

        def build() -> Any:
            if bind is None:
                rules.note_keyless(operation, method)
            return rules.compile(method, info)

        return recompiled(build, asynchronous=is_async(method))

    if route is None:
        return compiled(name)
    asked = is_async(method)  # a wrapped method is a coroutine function where the original is one
    return route_calls(lambda args, kwargs: route(name, args, kwargs) or name, compiled, asynchronous=asked)


def _said(client: Any, name: str) -> Any:
    """Return what a client says of its methods; one that makes up any attribute it is asked for says nothing."""
    return getattr(client, name) if getattr(client.__class__, name, None) is not None else None


_FORWARDED = (
    "__len__", "__iter__", "__next__", "__contains__", "__getitem__", "__setitem__", "__delitem__", "__bool__",
    "__call__", "__eq__", "__hash__", "__str__", "__exit__", "__aexit__", "__aiter__", "__anext__",
)  # fmt: skip


_CLASSES: dict[tuple[type, type], type[Proxy]] = {}


def proxy_class(original: type, base: type[Proxy] = Proxy) -> type[Proxy]:
    """Return the proxy class for clients of this class: same name, same class to `isinstance`, same protocols."""
    made = _CLASSES.get((original, base))
    if made is None:
        space: dict[str, Any] = {"__class__": property(lambda _self: original), "__doc__": original.__doc__}
        for name in _FORWARDED:
            if getattr(original, name, None) is not getattr(object, name, None):
                space[name] = _forward(name)
        if hasattr(original, "__enter__"):
            space["__enter__"] = _enter
        if hasattr(original, "__aenter__"):
            space["__aenter__"] = _aenter
        made = _CLASSES[original, base] = type(original.__name__, (base,), space)
    return made


def _forward(name: str) -> Callable[..., Any]:
    def forwarded(self: Proxy, *args: Any) -> Any:
        return getattr(self.__dict__["_resilience_client"], name)(*args)

    return forwarded


def _enter(self: Proxy) -> Any:
    client = self.__dict__["_resilience_client"]
    entered = client.__enter__()
    return self if entered is client else entered


async def _aenter(self: Proxy) -> Any:
    client = self.__dict__["_resilience_client"]
    entered = await client.__aenter__()
    return self if entered is client else entered
