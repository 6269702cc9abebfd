"""Where a call's idempotency key travels: a keyword, a positional place, or inside a mapping parameter.

A key is made once per call when the caller gives none, and every attempt reuses it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["KeySlot"]

Args = tuple[Any, ...]
Kwargs = dict[str, Any]


class KeySlot:
    """Finds or fills the key of one function's calls."""

    __slots__ = ("_inner", "_make", "_name", "_place")

    def __init__(self, path: str, fn: Callable[..., Any], make: Callable[[], str]) -> None:
        """Resolve the place once.

        Args:
            path: `client_id`, or `params.clientOid` for a key inside a mapping parameter;
                `params.clientOrderId|clientOid` where the function takes it by either name.
            fn: the function that is called.
            make: makes a new key, URL-safe and at most 32 characters.

        Raises:
            TypeError: the function takes no such parameter.
        """
        if not isinstance(path, str):
            raise TypeError(f"key names a parameter, got {type(path).__name__}")
        self._name, _, inner = path.partition(".")
        self._inner = inner.split("|") if inner else []
        self._make = make
        self._place = _place(fn, self._name)

    def fill(self, args: Args, kwargs: Kwargs) -> tuple[str, Args, Kwargs]:
        """Return (key, args, kwargs) with the key in its place; nothing handed in is changed. An empty key is none."""
        place = self._place
        positional = place is not None and place < len(args)
        given = args[place] if positional and place is not None else kwargs.get(self._name)
        if not self._inner:
            if given not in (None, ""):
                return str(given), args, kwargs
            key: Any = self._make()
            carried = key
        else:
            inside = dict(given) if isinstance(given, Mapping) else {}
            key = next((inside[name] for name in self._inner if inside.get(name) not in (None, "")), None)
            if key is not None:
                return str(key), args, kwargs
            inside[self._inner[0]] = key = self._make()
            carried = inside
        if positional and place is not None:
            return key, (*args[:place], carried, *args[place + 1 :]), kwargs
        return key, args, {**kwargs, self._name: carried}


def _place(fn: Callable[..., Any], name: str) -> int | None:
    """Return the positional index of the parameter, or None for one that goes by keyword only."""
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):
        return None  # a builtin that tells no signature: by keyword
    if name in parameters:
        kind = parameters[name].kind
        if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            return list(parameters).index(name)
        if kind is inspect.Parameter.KEYWORD_ONLY:
            return None
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return None
    told = getattr(fn, "__qualname__", type(fn).__name__)
    raise TypeError(f"{told}() takes no keyword parameter {name!r} to carry the key")
