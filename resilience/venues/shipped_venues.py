"""Provides the data of venues: shipped, of other packages by entry points, or added by a program from a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from functools import cache
from typing import Any

from .._core.base.entry_points import describe_entry_point, installed, load_entry_point
from .._core.policy.section import Section, unchecked
from ..config.loading.compiled_files import compiled_content
from ..config.loading.mappings import as_node
from ..config.loading.mistakes import Mistakes
from ..config.loading.nodes import Node, node_at
from ..config.loading.shipped_files import names_in, shipped
from ..config.loading.yaml_reader import read_file
from ..config.validation.annotations import keys_of_files
from ..config.validation.file_values import read_section
from ..errors import PolicyError
from .known_venue import Venue

__all__ = [
    "GROUP",
    "add_venue",
    "compiled_name",
    "find_venue",
    "is_data",
    "load_venue",
    "read_shipped_venue",
    "shipped_ids",
    "venue",
    "venue_ids",
]

GROUP = "resilience.venues"
_added: dict[str, Venue] = {}


def venue(name: str) -> Venue:
    """Return what is known of an exchange, by ccxt's id of it.

    Raises:
        PolicyError: nothing is known of it; the message lists the venues that are known.
    """
    found = find_venue(name)
    if found is None:
        near = get_close_matches(name, venue_ids(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise PolicyError(f"no venue {name!r}; available: {', '.join(venue_ids())}{hint}")
    return found


def venue_ids() -> tuple[str, ...]:
    """Return the ids of all venues that are known, sorted."""
    others = {name for name in installed(GROUP) if _installed_venue(name) is not None}
    return tuple(sorted({*shipped_ids(), *_added, *others}))


def add_venue(source: str | os.PathLike[str] | Mapping[str, Any]) -> Venue:
    """Add a venue from a YAML file, or from a mapping with its content; one with the same id is replaced.

    Raises:
        PolicyError: all mistakes in it, with file, line and column.
    """
    added = load_venue(source)
    _added.update(dict.fromkeys((added.id, *added.classes), added))
    return added


def find_venue(name: str) -> Venue | None:
    """Return what is known of an exchange, or None."""
    found = _added.get(name) or _installed_venue(name)
    if found is None and name in shipped_ids():
        return _shipped(shipped_ids()[name])
    return found


@cache
def shipped_ids() -> Mapping[str, str]:
    """Return the ids of ccxt's classes that the shipped files are about, with the names of their files."""
    ids = {"myokx": "okx", "okxus": "okx", "binanceusdm": "binance"}
    return {**ids, **{name: name for name in names_in(shipped("venues"))}}


def compiled_name(name: str) -> str:
    """Return the name of the compiled form of a shipped file."""
    return f"venue_{name}"


@cache
def _shipped(name: str) -> Venue:
    found: Venue | None = compiled_content(compiled_name(name), (f"venues/{name}.yaml",))
    return found or read_shipped_venue(name)


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


@cache
def _installed_venue(name: str) -> Venue | None:
    """Return the venue of an entry point: data, a path, or a function that returns one; None if it offers no data."""
    point = installed(GROUP).get(name)
    if point is None:
        return None
    source = load_entry_point(point)
    if not is_data(source):
        return None
    try:
        source = source() if callable(source) else source
        return source if isinstance(source, Venue) else load_venue(source)
    except (PolicyError, OSError, TypeError) as error:
        raise PolicyError(f"the venue {name!r} cannot be read: {error}; {describe_entry_point(point)}") from error


def is_data(source: Any) -> bool:
    """Return whether an entry point offers the data of a venue, and not a module for an exchange."""
    return callable(source) or isinstance(source, (Venue, Mapping, str, os.PathLike))


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
