"""Reads the YAML file of a venue; every mistake is reported with file, line, column and path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any

from .._core.policy.section import Section, unchecked
from ..config.loading.mappings import as_node
from ..config.loading.mistakes import Mistakes
from ..config.loading.nodes import Node, node_at
from ..config.loading.shipped_files import shipped
from ..config.loading.yaml_reader import read_file
from ..config.validation.annotations import keys_of_files
from ..config.validation.file_values import read_section
from ..errors import PolicyError, Problem
from .known_venue import Venue

__all__ = ["load_venue", "read_shipped_venue", "venue_problems"]

_OWN_KEYS = frozenset({"writes", "orders", "expiry", "answer"})  # no policy file and no code table has these


def read_shipped_venue(name: str) -> Venue:
    """Read the YAML of a shipped venue."""
    path = shipped(f"venues/{name}.yaml")
    return _read(read_file(path), str(path))


def load_venue(source: str | os.PathLike[str] | Mapping[str, Any]) -> Venue:
    """Read a venue from a YAML file, or from a mapping with its content.

    Raises:
        PolicyError: all mistakes in it, with file, line and column.
    """
    if isinstance(source, Mapping):
        return _read(as_node(source), "<venue>")
    return _read(read_file(source), os.fspath(source))


def venue_problems(path: str | os.PathLike[str]) -> list[Problem] | None:
    """Return all mistakes of a venue's file; None where a file is none, or cannot be read as YAML."""
    try:
        root = read_file(path)
    except PolicyError:
        return None
    if root is None or root.kind != "mapping" or _OWN_KEYS.isdisjoint(key.value for key, _ in root.value):
        return None
    try:
        _read(root, os.fspath(path))
    except PolicyError as error:
        return list(error.problems)
    return []


def _read(root: Node | None, file: str) -> Venue:
    mistakes = Mistakes(file)
    if root is None or root.kind != "mapping":
        mistakes.add(root, "", f"expected a mapping with {', '.join(keys_of_files(Venue))}")
        mistakes.end()
    assert root is not None
    values = read_section(Venue, root, "", mistakes, also=("version",))
    if not mistakes.count:
        for path, name in _missing(unchecked(Venue, values), ""):
            mistakes.add(node_at(root, path), path, f"expected the key {name}")
    mistakes.end()
    return unchecked(Venue, values)


def _missing(section: Section, path: str) -> Iterator[tuple[str, str]]:
    """Yield path and name of the keys without a default that are not there."""
    for field in fields(section):  # type: ignore[arg-type]  # a dataclass
        value, below = getattr(section, field.name), f"{path}.{field.name}".lstrip(".")
        if value is MISSING:
            yield path, field.name
        for where, one in _parts(value, below):
            yield from _missing(one, where)


def _parts(value: Any, path: str) -> Iterator[tuple[str, Section]]:
    """Yield the sections in a value, with their paths."""
    parts = [(path, value)]
    if isinstance(value, tuple):
        parts = [(f"{path}[{index}]", one) for index, one in enumerate(value)]
    elif isinstance(value, Mapping):
        parts = [(f"{path}.{name}", one) for name, one in value.items()]
    yield from ((where, one) for where, one in parts if isinstance(one, Section))
