"""Replaces a module by its mutant: in the functions of the imported module, or at the import.

A change inside a function is put into the living function, so that nothing is imported again. A change in the body of
a module or a class (a constant, a default, a decorator) needs a process that imports the module anew.
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

from .modules import PACKAGE

__all__ = ["MutantFinder", "changed_functions", "comparable", "patch"]

CO_OPTIMIZED = 0x0001  # a flag of code objects: set for functions, not for the bodies of classes
Changes = list[tuple[CodeType, CodeType]]


def changed_functions(source: str, mutated: str, path: str) -> Changes | None:
    """Return the outermost functions that differ, old and new; None if the body of a module or a class differs."""
    try:
        return list(_pairs(_compile(source, path), _compile(mutated, path)))
    except LookupError:
        return None


def patch(module: ModuleType, changes: Changes) -> bool:
    """Put new code into the functions of an imported module; False if one of them cannot be found."""
    functions = {
        (function.__code__.co_name, function.__code__.co_firstlineno): function for function in _functions(module)
    }
    for old, new in changes:
        function = functions.get((old.co_name, old.co_firstlineno))
        if function is None:
            return False
        function.__code__ = new
    return True


class MutantFinder(MetaPathFinder):
    """An import hook that finds the mutant of one module of the package."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name = f"{PACKAGE}.{name}"
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
        return _compile(self._mutated, self.path)


def _compile(source: str, path: str) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return compile(source, path, "exec", dont_inherit=True)


def _pairs(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Yield the functions that differ.

    Raises:
        LookupError: the body around them differs.
    """
    if old.co_code != new.co_code or old.co_names != new.co_names or len(old.co_consts) != len(new.co_consts):
        raise LookupError(old.co_name)
    for before, after in zip(old.co_consts, new.co_consts, strict=True):
        if not isinstance(before, CodeType):
            if comparable(before) != comparable(after):
                raise LookupError(old.co_name)
        elif before.co_flags & CO_OPTIMIZED:
            if before != after:
                yield before, after
        else:
            yield from _pairs(before, after)


def comparable(constant: object) -> object:
    """Return a value by which constants of code are compared: 1 is not True, and sets have no order."""
    return sorted(map(repr, constant)) if isinstance(constant, frozenset) else repr(constant)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for member in vars(module).values():
        if isinstance(member, FunctionType):
            yield member
        elif isinstance(member, type) and member.__module__ == module.__name__:
            for part in vars(member).values():
                inner = getattr(part, "__func__", part)  # the function of a classmethod or a staticmethod
                functions = (part.fget, part.fset) if isinstance(part, property) else (inner,)
                yield from (function for function in functions if isinstance(function, FunctionType))
