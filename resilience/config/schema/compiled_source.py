"""Compiles the shipped policies and code tables to Python modules: a first call needs neither YAML nor pydantic.

The build calls it (`hatch_build.py`). A module has the checksums of its YAML files and a function with their content.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ..._core.policy.section import Section
from ..codes.code_tables import read_shipped, shipped_names
from ..loading.compiled_files import BUILT_IN, POLICIES, checksums
from ..loading.policy_file import builtin_layer

__all__ = ["compile_shipped", "write_compiled"]


def compile_shipped(folder: Path) -> None:
    """Write the compiled forms of all shipped files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_compiled(
        folder, POLICIES, tuple(f"{name}.yaml" for name in BUILT_IN), dict(builtin_layer().policy_set.policies)
    )
    for name in sorted(shipped_names()):
        source = f"codes/{name}.yaml"
        table = read_shipped(name)
        content = {
            "rules": tuple(table), "envelope": table.envelope, "texts": table.texts, "sources": table.sources,
            "prefixes": table.prefixes, "references": table.references,
        }  # fmt: skip
        write_compiled(folder, name, (source,), content)


def write_compiled(folder: Path, name: str, sources: tuple[str, ...], content: Any) -> None:
    """Write the compiled form of shipped files into a folder.

    Args:
        folder: it exists.
        name: the name of the compiled form.
        sources: the YAML files, as `shipped` takes them.
        content: what they contain.
    """
    source = _Source()
    returned = source.expression(content)
    imports = "".join(f"from {home} import {kind}\n" for home, kind in sorted(source.imports))
    text = (
        f'"""Compiled from {", ".join(sources)}; do not change it."""\n\n{imports}\n'
        f"CHECKSUMS = {dict(checksums(sources))!r}\n\n\ndef content():\n    return {returned}\n"
    )
    path = folder / f"{name.replace('-', '_')}.py"
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)  # a program that reads it meanwhile sees the old one or the new one


class _Source:
    """Writes values as Python expressions, and collects the classes that these need."""

    def __init__(self) -> None:
        self.imports: set[tuple[str, str]] = set()

    def expression(self, value: Any) -> str:
        """Return the expression that makes an equal value."""
        if isinstance(value, Enum):
            return f"{self._class(value)}({value.value!r})"
        if is_dataclass(value) and not isinstance(value, type):
            return self._object(value)
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{key!r}: {self.expression(item)}" for key, item in value.items()) + "}"
        if isinstance(value, tuple):
            return "(" + "".join(f"{self.expression(item)}, " for item in value) + ")"
        return f"frozenset({sorted(value)!r})" if isinstance(value, frozenset) else repr(value)

    def _object(self, value: Any) -> str:
        """Return a call with the values that are not the default ones."""
        own = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        usual = {field.name: field.default for field in fields(value) if field.default is not MISSING}
        given = {name: item for name, item in own.items() if name not in usual or item != usual[name]}
        if isinstance(value, Section):
            self.imports.add((Section.__module__, "unchecked"))
            return f"unchecked({self._class(value)}, {self.expression(given)})"
        return f"{self._class(value)}({', '.join(f'{name}={self.expression(item)}' for name, item in given.items())})"

    def _class(self, value: Any) -> str:
        self.imports.add((type(value).__module__, type(value).__name__))
        return type(value).__name__
