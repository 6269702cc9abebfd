"""Provides the data of venues: shipped, of other packages by entry points, or added by a program from a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any

from .._core.base.entry_points import describe_entry_point, installed, load_entry_point
from ..config.loading.compiled_files import compiled_content
from ..config.loading.shipped_files import names_in, shipped
from ..errors import PolicyError
from .known_venue import Venue

__all__ = [
    "GROUP",
    "add_venue",
    "compiled_name",
    "find_venue",
    "is_data",
    "shipped_ids",
    "venue",
    "venue_ids",
]

GROUP = "resilience.venues"
_added: dict[str, Venue] = {}


def venue(name: str) -> Venue:
    """Return what is known of an exchange, by ccxt's id of it.

    Raises:
        PolicyError: there is no data for this exchange; the message lists the known ones.
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
        PolicyError: the file has mistakes; the message has each with file, line and column.
    """
    added = _load(source)
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
    if found is None:
        found = _files().read_shipped_venue(name)
    return found


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
        return source if isinstance(source, Venue) else _load(source)
    except (PolicyError, OSError, TypeError) as error:
        raise PolicyError(f"the venue {name!r} cannot be read: {error}; {describe_entry_point(point)}") from error


def is_data(source: Any) -> bool:
    """Return whether an entry point offers the data of a venue, and not a module for an exchange."""
    return callable(source) or isinstance(source, (Venue, Mapping, str, os.PathLike))


def _load(source: str | os.PathLike[str] | Mapping[str, Any]) -> Venue:
    loaded: Venue = _files().load_venue(source)
    return loaded


def _files() -> Any:
    """Return the module that reads files, by name: it imports YAML and pydantic, which compiled forms do not need."""
    return import_module("resilience.venues.venue_files")
