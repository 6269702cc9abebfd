"""Provides the proxy of a wrapped client: same class to `isinstance`, same attributes, same protocols.

A method is compiled at its first access and stored in the proxy's `__dict__`, so that later accesses do not reach
`__getattr__`. An object that groups operations (`client.orders`) gets a proxy of its own, which knows its path.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any
from weakref import WeakValueDictionary, ref

from .._core.base.deprecation import warn_safely
from .hand_outs import HandOut, checking_first_result
from .operation_rules import OperationRules
from .proxied_calls import (
    context_managers_under_policy,
    method_under_policy,
    own_method_under_policy,
    pages_under_policy,
)
from .proxied_value import ValueKind, function_of, is_callable_object, is_mock_setting, is_part_of_client, kind_of

__all__ = ["Proxy", "proxy_class"]

_MAX_NESTED = 1024  # proxies kept of one client's resources
_WAYS: dict[ValueKind, Callable[..., Any]] = {
    ValueKind.OPERATION: method_under_policy,
    ValueKind.PAGES: pages_under_policy,
    ValueKind.CONTEXT_MANAGER: context_managers_under_policy,
}


class Proxy:
    """Stands in for a client, or for a resource of one; attributes that it does not wrap are the client's own."""

    def __init__(self, client: Any, rules: OperationRules, path: str = "") -> None:
        own = self.__dict__  # `__setattr__` would set them on the client
        own["_resilience_client"] = client
        own["_resilience_rules"] = rules
        own["_resilience_path"] = path
        own["_resilience_nested"] = {}

    def __getattr__(self, name: str) -> Any:
        client = self.__dict__.get("_resilience_client")
        value = getattr(client, name)
        if name.startswith(("_", "resilience_")):
            return value
        get_info = _client_method(client, "resilience_operation_info")
        kind = kind_of(client, name, value)
        if get_info is not None:
            if kind is not ValueKind.OPERATION or is_callable_object(value):
                return value
            get_name = _client_method(client, "resilience_operation_name")
            rules = self.__dict__["_resilience_rules"]
            method = own_method_under_policy(rules, name, value, get_info, get_name, self)
        elif kind is ValueKind.VALUE or is_mock_setting(client, name):
            return value
        elif kind is ValueKind.RESOURCE or is_callable_object(value):
            return _nested(self, name, value)
        else:
            return _under_policy(self, name, self.__dict__["_resilience_path"] + name, value, _WAYS[kind])
        self.__dict__[name] = method
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
        raise TypeError("a wrapped client holds locks and clocks: copy or pickle the client itself and wrap it again")

    def __dir__(self) -> list[str]:
        return dir(self.__dict__["_resilience_client"])

    def __repr__(self) -> str:
        return f"<resilient {self.__dict__['_resilience_client']!r}>"


def _under_policy(proxy: Proxy, name: str, operation: str, value: Any, way: Callable[..., Any]) -> Any:
    """Return a method under the policy of its operation, and keep it under this name of the proxy."""
    own = proxy.__dict__
    hand_out = HandOut(proxy, own["_resilience_client"], operation)
    method = way(own["_resilience_rules"], operation, value, hand_out)
    if way is not method_under_policy:
        own[name] = method
        return method
    proxy_ref = ref(proxy)

    def settle(checking: Callable[..., Any], checked: Callable[..., Any]) -> None:
        kept = getattr(proxy_ref(), "__dict__", {})
        if kept.get(name) is checking:  # the program may have set the attribute meanwhile
            kept[name] = checked

    own[name] = method = checking_first_result(method, hand_out, settle)
    return method


def _nested(proxy: Proxy, name: str, value: Any) -> Any:
    """Return the proxy of a resource; kept for as long as the client has the same object under this name."""
    nested = proxy.__dict__["_resilience_nested"]
    known = nested.get(name)
    if known is not None and known[0] is value:
        return known[1]
    path = proxy.__dict__["_resilience_path"] + name + "."
    made = proxy_class(type(value))(value, proxy.__dict__["_resilience_rules"], path)
    if len(nested) < _MAX_NESTED:  # a client that makes its attributes on demand may have any number of names
        nested[name] = (value, made)
    return made


def _client_method(client: Any, name: str) -> Any:
    """Return this method of the client if its class has it: a mock makes up any attribute of an instance."""
    return getattr(client, name) if getattr(client.__class__, name, None) is not None else None


# Python looks these up on the class and never calls `__getattr__` for them, so each proxy class defines those that its
# client's class has.
_FORWARDED = (
    "__len__", "__iter__", "__next__", "__contains__", "__setitem__", "__delitem__", "__bool__",
    "__eq__", "__hash__", "__str__", "__exit__", "__aexit__", "__aiter__", "__anext__",
)  # fmt: skip
# An entry goes with its last proxy: a client's class may be made for one client, as a mock's is.
_CLASSES: WeakValueDictionary[tuple[type, type[Proxy]], type[Proxy]] = WeakValueDictionary()


def proxy_class(original: type, base: type[Proxy] = Proxy) -> type[Proxy]:
    """Return the proxy class for clients of this class: same name, same class to `isinstance`, same protocols."""
    cls = _CLASSES.get((original, base))
    if cls is None:
        cls = _CLASSES[original, base] = type(original.__name__, (base,), _namespace(original))
    return cls


def _namespace(original: type) -> dict[str, Any]:
    def claimed_class(self: Proxy) -> type:
        client = self.__dict__["_resilience_client"]
        claimed: type = client.__class__  # of a mock, the class that it was made for
        return original if claimed is type(client) else claimed

    namespace: dict[str, Any] = {"__class__": property(claimed_class), "__doc__": original.__doc__}
    for name in _FORWARDED:
        if getattr(original, name, None) is not getattr(object, name, None):
            namespace[name] = _forward(name)
    replaced = {"__call__": _call, "__enter__": _enter, "__aenter__": _enter_async, "__await__": _await}
    replaced["__getitem__"] = _item
    return namespace | {name: method for name, method in replaced.items() if hasattr(original, name)}


def _forward(name: str) -> Callable[..., Any]:
    def forwarded(self: Proxy, *args: Any) -> Any:
        return getattr(self.__dict__["_resilience_client"], name)(*args)

    return forwarded


def _call(self: Proxy, /, *args: Any, **kwargs: Any) -> Any:
    """Call the client, or the resource, under the policy of its operation: its path, or the name of its class."""
    own = self.__dict__
    method = own.get("_resilience_call")
    if method is None:
        client = own["_resilience_client"]
        operation = own["_resilience_path"].removesuffix(".") or type(client).__name__
        method = _under_policy(self, "_resilience_call", operation, function_of(client), method_under_policy)
    return method(*args, **kwargs)


def _await(self: Proxy) -> Any:
    """Await the client, which connects it, under the policy; the client itself comes out as its proxy."""
    own = self.__dict__
    client = own["_resilience_client"]

    async def connect() -> tuple[Any]:
        return (await client,)  # in a tuple: a client that can be awaited again would pass for unfinished work

    async def connect_under_policy() -> Any:
        operation = own["_resilience_path"].removesuffix(".") or type(client).__name__
        hand_out = HandOut(self, client, operation)
        (connected,) = await method_under_policy(own["_resilience_rules"], operation, connect, hand_out)()
        return hand_out.passed(connected)

    return connect_under_policy().__await__()


def _enter(self: Proxy) -> Any:
    client = self.__dict__["_resilience_client"]
    return _entered(self, client.__enter__(), "with")  # `with` must give the proxy, not the client behind it


async def _enter_async(self: Proxy) -> Any:
    client = self.__dict__["_resilience_client"]
    return _entered(self, await client.__aenter__(), "async with")


def _entered(proxy: Proxy, entered: Any, statement: str) -> Any:
    return HandOut(proxy, proxy.__dict__["_resilience_client"], statement).passed(entered)


def _item(self: Proxy, key: Any) -> Any:
    """Return the proxy of a part of the client (`client["orders"]`), as an attribute of this name has it."""
    client = self.__dict__["_resilience_client"]
    is_part = False
    try:
        value = client[key]
        is_part = is_part_of_client(client, value)
    finally:
        if not is_part:
            _name_items(self, client)
    return _nested(self, key if isinstance(key, str) else type(value).__name__, value) if is_part else value


def _name_items(proxy: Proxy, client: Any) -> None:
    """Say once that what comes for a key may be an answer of the API: `Redis()["key"]` asks for it."""
    own = proxy.__dict__
    if "_resilience_item" not in own:
        own["_resilience_item"] = True
        name = type(client).__name__
        warn_safely(f"{name}[...] stays outside the policy: call a method instead, where it asks the API", UserWarning)
