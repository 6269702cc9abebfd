"""Locates the shipped policies and code tables: in the package of a wheel, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped"]

_PACKAGE = Path(__file__).resolve().parents[2]


def shipped(relative: str) -> Path:
    """Return the path of a shipped file or folder, such as `codes/bitget.yaml`."""
    installed = _PACKAGE / "_policies"
    return (installed if installed.is_dir() else _PACKAGE.parent / "policies") / relative
