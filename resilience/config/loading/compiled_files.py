"""Imports the compiled form of a shipped file, which needs no YAML, if it belongs to the YAML file beside it.

A build compiles the files (`config/schema/compiled_source.py`). In a checkout without a build there is no compiled
form, and the YAML is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .shipped_files import shipped

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["BUILT_IN", "POLICIES", "checksums", "compiled_content"]

BUILT_IN = ("default", "http", "bitget", "ccxt", "bitget-ws")
"""The files with the built-in policies, in the order of their layers."""
POLICIES = "policies"
"""The name of their compiled form; that of a code table is its own."""


def compiled_content(name: str, sources: tuple[str, ...], folder: Path | None = None) -> Any:
    """Return the content of shipped files from their compiled form; None if there is none that can be used.

    Args:
        name: the name of the compiled form.
        sources: the YAML files, as `shipped` takes them.
        folder: where the compiled form is; by default among the shipped files.
    """
    path = (folder or shipped("compiled")).joinpath(f"{name.replace('-', '_')}.py")
    if not path.is_file():
        return None
    try:
        compiled = _run(path)
        # A file that was changed after the build counts, and not its compiled form.
        return compiled["content"]() if checksums(sources) == compiled["CHECKSUMS"] else None
    except Exception:
        return None  # cut off, or of classes that have changed since: the YAML says the same


def _run(path: Path | Traversable) -> dict[str, Any]:
    """Run a compiled form and return what it defines; as a module of its own where Python can keep its bytecode."""
    if not isinstance(path, Path):
        namespace: dict[str, Any] = {}
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
        return namespace
    loader = SourceFileLoader(f"resilience_compiled_{path.stem}", str(path))
    module = module_from_spec(spec_from_loader(loader.name, loader))  # type: ignore[arg-type]  # a loader is given
    loader.exec_module(module)
    return vars(module)


def checksums(sources: tuple[str, ...]) -> Mapping[str, int]:
    """Return the checksum of each shipped file."""
    return {source: zlib.crc32(shipped(source).read_bytes()) for source in sources}
