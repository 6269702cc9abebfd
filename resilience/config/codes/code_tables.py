"""Loads code tables from YAML into a `CodeRegistry`. To add a code, add a row to the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any

from ..._core.base.entry_points import describe_entry_point, installed, load_entry_point
from ..._core.policy import codes as core
from ...errors import PolicyError
from ..loading.compiled_files import compiled_content
from ..loading.mappings import as_node
from ..loading.shipped_files import names_in, shipped
from ..loading.yaml_reader import read_file
from .table_nodes import TableContent, read_table

__all__ = ["CodeRegistry", "builtin_names", "is_known", "read_shipped", "shipped_names"]

_GROUP = "resilience.registries"
_SAME_API = {
    "binancecoinm": "binance", "binanceus": "binance", "binanceusdm": "binance",
    "bybiteu": "bybit", "bybitid": "bybit",
    "gateeu": "gate",
    "kucoineu": "kucoin", "kucoinfutures": "kucoin",
    "myokx": "okx", "okxus": "okx",
}  # fmt: skip
"""Exchanges of ccxt that have the codes of another one: a site of it, or a part of its API."""


class CodeRegistry(core.CodeTable):
    """The error codes of one API and what each means. Never changed: safe across threads and tasks.

    Example:
        >>> CodeRegistry.builtin("bitget").rule("43012").names
        ('INSUFFICIENT_BALANCE',)
    """

    __slots__ = ()

    @classmethod
    def builtin(cls, name: str) -> CodeRegistry:
        """Return a registry that is shipped or installed; it is read once per process.

        Exchanges of ccxt that share an API share its table: `okxus` gives that of `okx`.

        Raises:
            PolicyError: the name is unknown; the message lists the available ones.
        """
        name = name if name in shipped_names() else _SAME_API.get(name, name)
        with _lock:
            registry = _loaded.get(name)
            if registry is None:
                registry = _loaded[name] = _builtin(name)
        return registry

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CodeRegistry:
        """Read a code table; its name is that of the file.

        Raises:
            PolicyError: the file has mistakes; the message has each with file, line and column.
        """
        return _registry(Path(path).stem, read_table(read_file(path), os.fspath(path)))

    @classmethod
    def from_mapping(cls, name: str, mapping: Mapping[str, Any]) -> CodeRegistry:
        """Read a mapping with the content of a file.

        Raises:
            PolicyError: the mapping has mistakes; the message lists all.
        """
        return _registry(name, read_table(as_node(mapping), f"<{name}>"))


_lock = RLock()  # reentrant: loading an entry point may load another table
_loaded: dict[str, CodeRegistry] = {}


def builtin_names() -> tuple[str, ...]:
    """Return the names of all shipped and installed registries, sorted."""
    return tuple(sorted(shipped_names() | set(installed(_GROUP))))


def is_known(name: str) -> bool:
    """Return whether a registry has this name. Entry points are searched only if it is not shipped: that is slow."""
    return name in shipped_names() or name in _SAME_API or name in installed(_GROUP)


@cache
def shipped_names() -> frozenset[str]:
    """Return the names of the shipped registries."""
    return frozenset(names_in(shipped("codes")))


def _builtin(name: str) -> CodeRegistry:
    if not is_known(name):
        near = get_close_matches(name, builtin_names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise PolicyError(f"no code registry {name!r}; available: {', '.join(builtin_names())}{hint}")
    if name in shipped_names():
        content = compiled_content(name, (f"codes/{name}.yaml",))
        if content is not None:
            return CodeRegistry(name, content.pop("rules"), **content)
        return read_shipped(name)
    return _installed_table(name, installed(_GROUP)[name])


def read_shipped(name: str) -> CodeRegistry:
    """Read the YAML of a shipped registry."""
    path = shipped(f"codes/{name}.yaml")
    return _registry(name, read_table(read_file(path), str(path)))


def _installed_table(name: str, point: Any) -> CodeRegistry:
    """Return the table of an entry point: a registry, a mapping, a path, or a function that returns one of them."""
    try:
        source = load_entry_point(point)
        source = source() if callable(source) else source
        if isinstance(source, CodeRegistry):
            return source
        if isinstance(source, Mapping):
            return CodeRegistry.from_mapping(name, source)
        if isinstance(source, (str, os.PathLike)):
            return CodeRegistry.load(source)
    except Exception as error:  # the code of another package may raise anything
        raise PolicyError(
            f"the code registry {name!r} cannot be read: {error}; {describe_entry_point(point)}"
        ) from error
    raise PolicyError(
        f"the code registry {name!r} is a {type(source).__name__}; expected a CodeRegistry, a mapping, a path, or a "
        f"function that returns one of them: {describe_entry_point(point)}"
    )


def _registry(name: str, table: TableContent) -> CodeRegistry:
    content = table._asdict()
    return CodeRegistry(name, content.pop("rules"), **content)
