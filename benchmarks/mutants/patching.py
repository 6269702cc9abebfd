"""Puts a mutant in the place of a module: into the functions that are there already, or at its import.

A mistake inside a function is put into the living function, so that nothing is imported again; one in
the body of a module or a class (a constant, a default, a decorator) needs a process that imports anew.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

__all__ = ["ROOM", "Import", "changed", "constant", "put"]

ROOM = "resilience._core"
_FUNCTION = 0x0001  # CO_OPTIMIZED: set for functions, not for the bodies of classes
Changes = list[tuple[CodeType, CodeType]]


def changed(source: str, mutated: str, path: str) -> Changes | None:
    """Return the outermost functions that differ, old and new; None when a body of module or class does."""
    try:
        return list(_pairs(_compiled(source, path), _compiled(mutated, path)))
    except LookupError:
        return None


def put(module: ModuleType, changes: Changes) -> bool:
    """Put new code into the living functions; False when one of them cannot be found."""
    living = {(one.__code__.co_name, one.__code__.co_firstlineno): one for one in _functions(module)}
    for old, new in changes:
        function = living.get((old.co_name, old.co_firstlineno))
        if function is None:
            return False
        function.__code__ = new
    return True


class Import(MetaPathFinder):
    """Finds one module of the room with a mistake in it."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name = f"{ROOM}.{name}"
        self._path = path
        self._source = source
        sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, _path: Any, _target: Any = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return spec_from_file_location(fullname, self._path, loader=_Loader(fullname, str(self._path), self._source))


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, source: str) -> None:
        super().__init__(fullname, path)
        self._mutated = source

    def get_code(self, _fullname: str) -> CodeType:
        return _compiled(self._mutated, self.path)


def _compiled(source: str, path: str) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return compile(source, path, "exec", dont_inherit=True)


def _pairs(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Yield functions that differ.

    Raises:
        LookupError: the body around them differs.
    """
    if old.co_code != new.co_code or old.co_names != new.co_names or len(old.co_consts) != len(new.co_consts):
        raise LookupError(old.co_name)
    for before, after in zip(old.co_consts, new.co_consts, strict=True):
        if not isinstance(before, CodeType):
            if constant(before) != constant(after):
                raise LookupError(old.co_name)
        elif before.co_flags & _FUNCTION:
            if before != after:
                yield before, after
        else:
            yield from _pairs(before, after)


def constant(one: object) -> object:
    """Return what two constants of code have alike when they are the same: 1 is not True, and sets have no order."""
    return sorted(map(repr, one)) if isinstance(one, frozenset) else repr(one)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for one in vars(module).values():
        if isinstance(one, FunctionType):
            yield one
        elif isinstance(one, type) and one.__module__ == module.__name__:
            for part in vars(one).values():
                inner = getattr(part, "__func__", part)
                found = (part.fget, part.fset) if isinstance(part, property) else (inner,)
                yield from (each for each in found if isinstance(each, FunctionType))
