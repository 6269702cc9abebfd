"""Compares the contents of files by digests, and names the folders in which they are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

__all__ = ["Contents", "contents_of", "folders_of"]

_MAX_BYTES = 2_000_000  # per file; the loader rejects a longer one
Contents = dict[str, str | None]
"""A digest of each file's content; None for a missing file, an empty string for an empty one."""


def contents_of(files: Iterable[str]) -> Contents:
    """Return what the files contain at this moment."""
    return {path: _digest(path) for path in files}


def folders_of(files: Iterable[str]) -> list[tuple[str, int]]:
    """Return the folders of the files and of their link targets, with inodes: a replaced folder has another."""
    folders = set[str]()
    for path in files:
        folders |= {str(Path(path).absolute().parent), os.path.dirname(os.path.realpath(path))}
    return sorted((folder, os.stat(folder).st_ino) for folder in folders if os.path.isdir(folder))


def _digest(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES)
        return sha256(content).hexdigest() if content else ""
    except (OSError, ValueError):
        return None
