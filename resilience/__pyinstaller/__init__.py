"""Names the folder of the hook for PyInstaller. Only a build imports this package; a bot never does."""

from __future__ import annotations

from pathlib import Path

__all__ = ["hook_dirs"]


def hook_dirs() -> list[str]:
    """Return the folders with hooks, for the entry point `hook-dirs` of the group `pyinstaller40`."""
    return [str(Path(__file__).parent)]
