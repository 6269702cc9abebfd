"""Finds arguments that an attempt uses up: iterators, generators, files. A further attempt would send what is left.

Looked at only after a failure. A file that was at its beginning is rewound. A generator that has not begun is as
good as new.
"""

from __future__ import annotations

import inspect
import io
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from types import AsyncGeneratorType, BuiltinMethodType, GeneratorType, MethodType, MethodWrapperType
from typing import Any

from ..base.abstract_classes import is_mapping
from ..base.by_class import remember_by_class

__all__ = ["OneShotArguments"]

_MAX_ITEMS = 2000  # that are looked at
_BODIES = ("body", "data", "_data", "files", "_value")
"""Attributes in which the requests of requests and urllib, and the payloads of aiohttp, have what they send."""
_SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_CLIENT_METHODS = ("execute", "commit", "subscribe")
"""Methods of objects that are iterators too, but that a function uses in other ways: cursors, consumers."""


class OneShotArguments:
    """The arguments of one call that attempts use up. Made at its first failure, used by one thread or task."""

    __slots__ = ("_files", "_others")

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Find them among the arguments, and in what these contain.

        Args:
            fn: the function, to tell a method's `self` from its arguments.
            args: the positional arguments.
            kwargs: the keyword arguments.
        """
        first = 1 if args and _is_self(fn, args[0]) else 0
        found = _found((*args[first:], *kwargs.values()))
        files = [one for one in found if not _is_iterator(type(one)) or isinstance(one, io.IOBase)]
        self._others = [one for one in found if not any(one is file for file in files)]
        # A file at its beginning after the first attempt was there before. Anywhere else it may have been read.
        self._files = files if all(map(_is_at_beginning, files)) else None

    def rewind(self) -> bool:
        """Return whether another attempt finds all arguments as the first one did; files are rewound."""
        if self._files is None or not all(map(_is_unused, self._others)):
            return False
        try:
            for file in self._files:
                file.seek(0)
        except Exception:  # closed, not seekable, or whatever a foreign object raises
            return False
        return True


def _found(values: Iterable[Any]) -> list[Any]:
    """Return what is used up among these values and in what they contain; each container is looked into once."""
    found: list[Any] = []
    seen: set[int] = set()
    waiting = [values]
    number = 0
    while waiting and number < _MAX_ITEMS:
        try:
            values = tuple(islice(waiting.pop(0), _MAX_ITEMS - number))
        except Exception:  # a foreign mapping, or one that another thread changes
            continue
        number += len(values)
        for value in values:
            try:
                if value.__class__ in _SCALARS:
                    continue
                is_one_shot = _is_one_shot(value)
            except TypeError:  # a class without a hash, because its metaclass has none: not even `isinstance` takes it
                continue
            if is_one_shot:
                found.append(value)
            elif id(value) not in seen:
                seen.add(id(value))
                with suppress(Exception):  # a foreign mapping
                    waiting.append(_contents(value))
    return found


def _contents(value: Any) -> Iterable[Any]:
    """Return what a value holds that a call would send: items, fields, bound arguments, or the body of a request."""
    if is_mapping(value):
        return value.values()
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return tuple(value)
    if isinstance(value, partial):
        return (value.args, value.keywords)
    if isinstance(value, (BuiltinMethodType, MethodType, MethodWrapperType)):
        return (value.__self__,)
    # Not `getattr`, by which an object may do anything.
    held = getattr(value, "__dict__", {})
    names = getattr(type(value), "__dataclass_fields__", _BODIES)
    return [held[name] for name in names if name in held] if isinstance(held, dict) else ()


def _is_one_shot(value: Any) -> bool:
    kind = type(value)
    if not (_is_iterator(kind) or _is_file(kind)):
        return False
    # What is also written to, and has no position, is a connection.
    return not isinstance(value, io.IOBase) or value.closed or value.seekable() or not value.writable()


@remember_by_class
def _is_iterator(kind: type) -> bool:
    if any(hasattr(kind, name) for name in _CLIENT_METHODS):
        return False
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__")


@remember_by_class
def _is_file(kind: type) -> bool:
    """Return whether the objects of a class are read like files."""
    if kind.__name__ == "_TemporaryFileWrapper" or issubclass(kind, io.IOBase):  # the wrapper has the file's methods
        return True
    read = getattr(kind, "read", None)
    if read is None or (hasattr(kind, "write") and not hasattr(kind, "seek")):
        return False
    try:
        signature = inspect.signature(read)
    except (TypeError, ValueError):  # a builtin without a signature
        return True
    try:
        signature.bind(None)
        signature.bind(None, 1)  # the number of bytes: the `read` of a request or a client has another meaning
    except TypeError:
        return False
    return True


def _is_at_beginning(file: Any) -> bool:
    try:
        position = file.tell()
    except Exception:  # closed, not seekable, or whatever a foreign object raises
        return False
    if inspect.iscoroutine(position):
        position.close()  # an async file
    return isinstance(position, int) and position == 0


def _is_unused(value: Any) -> bool:
    """Return whether nothing was taken from an iterator, as far as Python says so."""
    if isinstance(value, GeneratorType):
        return inspect.getgeneratorstate(value) == inspect.GEN_CREATED
    if isinstance(value, AsyncGeneratorType):
        return value.ag_frame is not None and not getattr(value, "ag_suspended", True)  # 3.11 does not say
    return False


def _is_self(fn: Callable[..., Any], first: Any) -> bool:
    """Return whether the first argument is the object that a method is called on."""
    if hasattr(fn, "__self__"):
        return False  # a bound method has it already
    code: Any = getattr(fn, "__code__", None)
    if code is not None and code.co_argcount and code.co_varnames[0] in ("self", "cls"):
        return True
    method = getattr(type(first), getattr(fn, "__name__", ""), None)
    return callable(method) and inspect.unwrap(method) is fn
