"""Finds out whether two calls ask the same: by whose function they call, and by the normal form of their arguments.

Two calls are the same if their arguments are, however they are passed: `f(1, b=2)` is `f(a=1, b=2)`. Arguments are
compared by type and value, because `1`, `1.0` and `True` are equal to Python and need not be to an API. What is no
plain data has no normal form: an object may look the same and mean something else at the next call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from inspect import Signature, signature
from types import FunctionType
from typing import Any, NamedTuple
from uuid import UUID

__all__ = ["CallKey", "KeyedFunction", "key_maker", "normal_form"]

# A bare `object()` has no content but its identity: it marks a parameter that was not given.
_BY_VALUE = frozenset({type(None), bool, int, str, bytes, UUID, Fraction, object})
# Written as text: NaN is equal to nothing, 0.0 is equal to -0.0, and Decimal("1.0") to Decimal("1").
_BY_TEXT = frozenset({float, complex, Decimal, date, timedelta})
_WITH_ZONE = frozenset({datetime, time})
_ZONES = frozenset({"builtins", "datetime", "zoneinfo"})
"""The modules of time zones that their text identifies, and that of None."""
_MAX_DEPTH = 32
_OWN_PARAMETERS = ("self", "cls")


class CallKey(NamedTuple):
    """What makes two calls the same.

    Attributes:
        owner: the object whose calls these are: a client, or the function itself. Compared by identity.
        key: the function, where the owner has several, and the arguments.
    """

    owner: Any
    key: Hashable


class KeyedFunction:
    """Makes the keys of one function's calls. Safe across threads and tasks."""

    __slots__ = ("_function", "_owner", "_signature", "_takes_owner")

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._owner, self._function = _owner_and_function(fn)
        self._signature = _signature_of(fn)
        first = next(iter(self._signature.parameters), "") if self._signature is not None else ""
        # A function in a class that a decorator has taken: its client comes with each call.
        self._takes_owner = isinstance(fn, FunctionType) and first in _OWN_PARAMETERS
        if self._takes_owner:
            self._function = fn

    def key(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> CallKey | None:
        """Return the key of a call; None where its arguments have no normal form, or do not fit the function."""
        owner: Any = self._owner
        try:
            hash(self._function)
            arguments = self._arguments(args, kwargs)
            if self._takes_owner:
                owner = arguments.pop(next(iter(arguments)))
            return CallKey(owner, (self._function, normal_form(arguments)))
        except (TypeError, ValueError, RecursionError):
            return None

    def _arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments by parameter, defaults included; those of a builtin as they were passed."""
        if self._signature is None:
            return {"args": args, "kwargs": dict(kwargs)}
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments


def key_maker(fn: Callable[..., Any], skip: int) -> Callable[[tuple[Any, ...], Mapping[str, Any]], CallKey | None]:
    """Return what makes the keys of a function's calls; with `skip`, of the functions that are its first argument."""
    if not skip:
        return KeyedFunction(fn).key
    return lambda args, kwargs: KeyedFunction(args[0]).key(args[1:], kwargs)


def _owner_and_function(fn: Callable[..., Any]) -> tuple[Any, Hashable]:
    """Return whose function it is, and what tells it from the owner's other functions.

    By what a method is bound to, since Python makes a new method object at each access. A function that is no method
    is its own owner, and a `partial` object and a callable object are, too: two that are equal may hold two clients.
    """
    owner = getattr(fn, "__self__", None)
    if owner is None or not (hasattr(fn, "__func__") or hasattr(fn, "__qualname__")):
        return fn, None
    return owner, getattr(fn, "__func__", None) or fn.__qualname__


def _signature_of(fn: Callable[..., Any]) -> Signature | None:
    try:
        return signature(fn)
    except (TypeError, ValueError):
        return None  # some builtins have none


def normal_form(value: Any, depth: int = 0) -> Hashable:
    """Return something that is equal for values of one type and content, and for no others.

    Raises:
        ValueError: the value is no plain data, or is nested too deeply.
    """
    kind = type(value)
    if kind in _BY_VALUE:
        return kind, value
    if kind in _BY_TEXT or (kind in _WITH_ZONE and type(value.tzinfo).__module__ in _ZONES):
        return kind, repr(value)
    if issubclass(kind, Enum):
        return kind, id(value)  # each member exists once, and the class keeps it
    form_of_items = _CONTAINERS.get(kind)
    if form_of_items is None or depth > _MAX_DEPTH:
        raise ValueError(f"no plain data, nested too deeply, or in itself: {kind.__name__}")
    return form_of_items(value, depth + 1)


def _form_of_sequence(value: Any, depth: int) -> Hashable:
    return type(value), tuple([normal_form(item, depth) for item in value])


def _form_of_set(value: Any, depth: int) -> Hashable:
    return type(value), frozenset([normal_form(item, depth) for item in value])


def _form_of_mapping(value: Any, depth: int) -> Hashable:
    # Parameters are the same in any order.
    return dict, frozenset([(normal_form(key, depth), normal_form(item, depth)) for key, item in value.items()])


_CONTAINERS: Mapping[type, Callable[[Any, int], Hashable]] = {
    list: _form_of_sequence,
    tuple: _form_of_sequence,
    set: _form_of_set,
    frozenset: _form_of_set,
    dict: _form_of_mapping,
    OrderedDict: _form_of_mapping,
    bytearray: lambda value, _depth: (bytearray, bytes(value)),
}
