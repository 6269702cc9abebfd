"""Locates the shipped files: in the package of a wheel, beside it in a checkout, or in a zip that is imported."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["names_in", "package_file", "shipped"]

_PACKAGE = Path(__file__).resolve().parents[2]


def shipped(relative: str) -> Path | Traversable:
    """Return a shipped policy file, code table or folder, such as `codes/bitget.yaml`."""
    return _policies().joinpath(*relative.split("/"))


def package_file(relative: str) -> Path | Traversable:
    """Return a file or folder of the package, such as `simulate/scenarios`."""
    return _package().joinpath(*relative.split("/"))


def names_in(folder: Path | Traversable) -> tuple[str, ...]:
    """Return the names of the YAML files in a folder without their ending, sorted."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")))


@cache
def _policies() -> Path | Traversable:
    installed = package_file("_policies")
    return installed if installed.is_dir() else _PACKAGE.parent / "policies"


@cache
def _package() -> Path | Traversable:
    if _PACKAGE.is_dir():
        return _PACKAGE
    from importlib.resources import files  # costs more than all of this, and only a zip needs it

    return files("resilience")
