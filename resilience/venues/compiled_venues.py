"""Compiles the shipped venues to Python modules, as `config/schema/compiled_source.py` does with policies and codes."""

from __future__ import annotations

from pathlib import Path

from ..config.loading.shipped_files import names_in, shipped
from ..config.schema.compiled_source import write_compiled
from .shipped_venues import compiled_name
from .venue_files import read_shipped_venue

__all__ = ["compile_venues"]


def compile_venues(folder: Path) -> None:
    """Write the compiled forms of all shipped venues into a folder, which exists."""
    for name in names_in(shipped("venues")):
        write_compiled(folder, compiled_name(name), (f"venues/{name}.yaml",), read_shipped_venue(name))
