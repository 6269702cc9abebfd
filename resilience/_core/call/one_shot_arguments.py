"""Finds arguments that an attempt uses up: iterators, generators, files. A further attempt would send what is left.

Looked at only after a failure. A file that was at its beginning is rewound. A generator that has not begun is as
good as new.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from types import AsyncGeneratorType, GeneratorType
from typing import Any

__all__ = ["OneShotArguments"]

_MAX_ITEMS = 1000  # of one container that are looked at
_SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_CLIENT_METHODS = ("execute", "commit", "subscribe")
"""Methods of objects that are iterators too, but that a function uses in other ways: cursors, consumers."""


class OneShotArguments:
    """The arguments of one call that attempts use up. Made at its first failure, used by one thread or task."""

    __slots__ = ("_files", "_others")

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Find them among the arguments, and in the lists and mappings among these.

        Args:
            fn: the function, to tell a method's `self` from its arguments.
            args: the positional arguments.
            kwargs: the keyword arguments.
        """
        first = 1 if args and _is_self(fn, args[0]) else 0
        found = list(_found((*args[first:], *kwargs.values())))
        files = [one for one in found if not _is_iterator(type(one)) or isinstance(one, io.IOBase)]  # type: ignore[arg-type]
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


def _found(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if value.__class__ in _SCALARS:
            continue
        if _is_one_shot(value):
            yield value
        elif isinstance(value, (Mapping, list, tuple)):
            items: Iterable[Any] = value.values() if isinstance(value, Mapping) else value
            for item, _ in zip(items, range(_MAX_ITEMS), strict=False):
                # A form's field may be a tuple of name, file and type.
                yield from filter(_is_one_shot, item if isinstance(item, (list, tuple)) else (item,))


def _is_one_shot(value: Any) -> bool:
    kind = type(value)
    if kind in _SCALARS:
        return False
    if not (_is_iterator(kind) or _is_file(kind)):  # type: ignore[arg-type]  # mypy takes classes for unhashable
        return False
    # What is also written to, and has no position, is a connection.
    return not isinstance(value, io.IOBase) or value.closed or value.seekable() or not value.writable()


@lru_cache(maxsize=512)
def _is_iterator(kind: type) -> bool:
    if any(hasattr(kind, name) for name in _CLIENT_METHODS):
        return False
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__")


@lru_cache(maxsize=512)
def _is_file(kind: type) -> bool:
    """Return whether the objects of a class are read like files."""
    if kind.__name__ == "_TemporaryFileWrapper" or issubclass(kind, io.IOBase):  # the wrapper has the file's methods
        return True
    read = getattr(kind, "read", None)
    if read is None or (hasattr(kind, "write") and not hasattr(kind, "seek")):
        return False
    try:
        signature = inspect.signature(read)
        signature.bind(None)
        signature.bind(None, 1)  # the number of bytes: the `read` of a request or a client has another meaning
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        pass
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
