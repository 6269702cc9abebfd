"""Finds or fills the idempotency key of a call: in a keyword, a positional argument, or a mapping argument.

A key is made once per call when the caller gives none, and every attempt reuses it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..base.abstract_classes import is_mapping

__all__ = ["KeySlot"]

Args = tuple[Any, ...]
Kwargs = dict[str, Any]


class KeySlot:
    """The parameter of one function that carries the key. Never changed: safe across threads and tasks."""

    __slots__ = ("_index", "_inner_names", "_make", "_name")

    def __init__(self, path: str, fn: Callable[..., Any], make: Callable[[], str] | None) -> None:
        """Resolve the parameter once.

        Args:
            path: `client_id`, or `params.clientOid` for a key inside a mapping parameter;
                `params.clientOrderId|clientOid` where the function takes it by either name.
            fn: the function that is called.
            make: makes a new key; None makes none, so that only the caller's own key is used.

        Raises:
            TypeError: the function takes no such parameter.
        """
        if not isinstance(path, str):
            raise TypeError(f"key names a parameter, got {type(path).__name__}")
        self._name, _, inner = path.partition(".")
        self._inner_names = inner.split("|") if inner else []
        self._make = make
        # `inspect.signature` takes tens of microseconds: once here, never in a call.
        self._index = _positional_index(fn, self._name)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names under which the key is passed: inside the mapping where it is in one."""
        return (*self._inner_names,) or (self._name,)

    def fill(self, args: Args, kwargs: Kwargs) -> tuple[str | None, Args, Kwargs]:
        """Return (key, args, kwargs) with the key among them; the caller's objects are not changed.

        An empty key counts as none. The key is None where the caller gives none and none is made.
        """
        index = self._index
        is_positional = index is not None and index < len(args)
        argument = args[index] if is_positional and index is not None else kwargs.get(self._name)
        if not self._inner_names:
            if argument not in (None, ""):
                return str(argument), args, kwargs
            if self._make is None:
                return None, args, kwargs
            key: Any = self._make()
            filled = key
        else:
            # A copy, because callers share one mapping of parameters among calls.
            mapping = dict(argument) if is_mapping(argument) else {}
            key = next((mapping[name] for name in self._inner_names if mapping.get(name) not in (None, "")), None)
            if key is not None:
                return str(key), args, kwargs
            if self._make is None:
                return None, args, kwargs
            mapping[self._inner_names[0]] = key = self._make()
            filled = mapping
        if is_positional and index is not None:
            return key, (*args[:index], filled, *args[index + 1 :]), kwargs
        return key, args, {**kwargs, self._name: filled}


def _positional_index(fn: Callable[..., Any], name: str) -> int | None:
    """Return the positional index of the parameter, or None for one that is passed by keyword only."""
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):
        return None  # a builtin without a signature: by keyword
    if name in parameters:
        kind = parameters[name].kind
        if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            return list(parameters).index(name)
        if kind is inspect.Parameter.KEYWORD_ONLY:
            return None
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return None
    function = getattr(fn, "__qualname__", type(fn).__name__)
    raise TypeError(f"{function}() takes no keyword parameter {name!r} to carry the key")
