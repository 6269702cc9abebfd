"""Finds the modules of `resilience._core` by short names such as `stages.budget`."""

from __future__ import annotations

from pathlib import Path

__all__ = ["PACKAGE", "core_modules", "resolve"]

PACKAGE = "resilience._core"


def core_modules(tree: Path) -> dict[str, Path]:
    """Return the path of each module below `resilience/_core` in a source tree, by its name within the package."""
    root = tree / "resilience" / "_core"
    files = sorted(file for file in root.rglob("*.py") if file.stem != "__init__")
    return {".".join(file.relative_to(root).with_suffix("").parts): file for file in files}


def resolve(names: list[str], tree: Path) -> list[str]:
    """Return the full names of modules; `budget` is enough for `stages.budget`, and `stages` means all below it.

    Raises:
        LookupError: a name fits no module.
    """
    modules = core_modules(tree)
    chosen: list[str] = []
    for name in names:
        fitting = [
            module
            for module in modules
            if module == name or module.endswith(f".{name}") or module.startswith(f"{name}.")
        ]
        if not fitting:
            raise LookupError(f"no module {name!r} in {PACKAGE} (available: {', '.join(modules)})")
        chosen += fitting
    return list(dict.fromkeys(chosen or modules))
