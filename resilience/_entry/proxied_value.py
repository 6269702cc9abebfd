"""Decides what an attribute of a wrapped client is: an operation, a resource with operations of its own, or a value.

No attribute is called to decide. An object whose class says too little stays the client's own, and
`wrap` names it once.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import partial
from types import ModuleType
from typing import Any

from .._core.base.abstract_classes import is_instance
from .._pipeline.callables import is_async, is_context_manager_function, is_mock

__all__ = [
    "ValueKind",
    "connects",
    "function_of",
    "is_callable_object",
    "is_data",
    "is_foreign",
    "is_mock_setting",
    "is_part_of_client",
    "kind_of",
    "names_outside",
    "talks",
]

_DATA = (ModuleType, dict, list, tuple, BaseException, Enum, Mapping, Sequence, AbstractSet)
_RECORD_MARKS = ("__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__", "_fields")


class ValueKind(Enum):
    """What a proxy does with an attribute."""

    OPERATION = "puts its calls under a policy"
    PAGES = "puts each item of what it makes under a policy"
    CONTEXT_MANAGER = "puts the entering of what it makes under a policy"
    RESOURCE = "hands out a proxy of it"
    VALUE = "hands out the client's own"


def kind_of(client: Any, name: str, value: Any) -> ValueKind:
    """Return what the attribute `name` of a client is."""
    if isinstance(value, type):
        return ValueKind.VALUE
    if is_callable_object(value):
        return ValueKind.OPERATION
    if inspect.isroutine(value) or isinstance(value, partial):
        return _kind_of_function(value)
    return ValueKind.RESOURCE if _is_resource(client, name, value) else ValueKind.VALUE


def _kind_of_function(function: Any) -> ValueKind:
    if is_context_manager_function(function):
        return ValueKind.CONTEXT_MANAGER
    pages = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    return ValueKind.PAGES if pages else ValueKind.OPERATION


def is_callable_object(value: object) -> bool:
    """Return whether this is an object whose class defines `__call__`, such as a gRPC stub's method or a mock."""
    if is_mock(value):  # whatever it passes for
        return callable(value)
    is_function = inspect.isroutine(value) or isinstance(value, (type, partial))
    return callable(value) and not is_function and not is_instance(value, _DATA)


def function_of(value: Any) -> Callable[..., Any]:
    """Return a function that calls a callable object.

    What one wants to know of a function is never asked of the object: where it makes its attributes on demand, even
    `__signature__` would be a call to the service.
    """
    run = type(value).__call__
    if is_async(value) if is_mock(value) else is_async(run):

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            return await value(*args, **kwargs)

        function: Any = call_async
    else:

        def call(*args: Any, **kwargs: Any) -> Any:
            return value(*args, **kwargs)

        function = call
    function.__qualname__ = type(value).__qualname__
    try:
        parameters = list(inspect.signature(run).parameters.values())[1:]
        function.__signature__ = inspect.Signature(parameters)
    except (TypeError, ValueError):
        pass  # written in C: it may take anything
    return function  # type: ignore[no-any-return]  # it has a signature of its own


def _is_resource(client: Any, name: str, value: Any) -> bool:
    """Return whether an object groups operations of the client: `client.chat` has `completions.create`.

    Its class belongs to the client's own package, or the client makes it on demand (`__getattr__`). Records and
    collections are data, whoever defines them.
    """
    package = _package(type(value))
    if package == "builtins" or is_data(value):
        return False
    made_on_demand = inspect.getattr_static(client, name, None) is None
    return package == _package(type(client)) or (made_on_demand and package not in sys.stdlib_module_names)


def is_part_of_client(client: Any, value: Any) -> bool:
    """Return whether an object that the client hands out for a key (`client["orders"]`) groups operations of it."""
    package = _package(type(value))
    return package == _package(type(client)) and package != "builtins" and not is_data(value)


def is_data(value: object) -> bool:
    """Return whether this is a record or a collection, whoever defines its class."""
    return is_instance(value, _DATA) or any(hasattr(type(value), mark) for mark in _RECORD_MARKS)


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def is_mock_setting(owner: object, name: str) -> bool:
    """Return whether `name` is what a mock offers to its test (`assert_called_once`), and no call of the client."""
    return is_mock(owner) and hasattr(sys.modules["unittest.mock"].MagicMock, name)


def is_foreign(value: Any) -> bool:
    """Return whether this is an instance of a class outside the standard library, and no collection."""
    return _package(type(value)) not in sys.stdlib_module_names and not is_instance(value, (type, *_DATA))


def talks(value: Any) -> bool:
    """Return whether an object of a third party can be entered or has async methods."""
    return is_foreign(value) and connects(type(value))


def names_outside(client: Any) -> list[str]:
    """Return the public attributes of a client that talk by themselves and stay outside its policy, with their class.

    They are objects of other packages that can be entered or have async methods: sessions, connections, pools.
    """
    found = []
    for name, value in getattr(client, "__dict__", {}).items():
        kind = type(value)
        if not name.startswith("_") and talks(value) and kind_of(client, name, value) is ValueKind.VALUE:
            found.append(f"{name} ({kind.__module__.partition('.')[0]}.{kind.__name__})")
    return found


def connects(kind: type) -> bool:
    """Return whether objects of a class can be entered, iterate over something, or have async methods."""
    if any(hasattr(kind, name) for name in ("__enter__", "__aenter__", "__next__", "__aiter__")):
        return True
    return any(is_async(value) for name, value in inspect.getmembers_static(kind) if not name.startswith("_"))
