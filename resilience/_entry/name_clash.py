"""Finds other distributions whose files are in the folder of this package.

pip does not refuse two distributions that are imported under one name: the files of the later one replace those of the
earlier one. This module is imported only if the folder has a file that is not ours.
"""

from __future__ import annotations

import os
from importlib.metadata import Distribution, distributions

__all__ = ["clash", "replaced"]

_OURS = "resilience-middleware"


def clash(folder: str) -> str:
    """Return why the package must not be used if another distribution has files in its folder; empty if none has."""
    where, package = os.path.split(folder)
    others = sorted({str(one.name) for one in distributions(path=[where]) if _has_files(one, package)})
    if not others:
        return ""
    names = ", ".join(others)
    return (
        f"two distributions are installed under the name {package!r}: {_OURS} and {names}. Files of one may have "
        f"replaced those of the other. {_remedy(names)}"
    )


def replaced() -> str:
    """Return what to say where the `__init__.py` of this package is that of another distribution."""
    return f"another distribution has replaced the package 'resilience' of {_OURS}. {_remedy('the other one')}"


def _remedy(others: str) -> str:
    return f"Uninstall both ({others} and {_OURS}), then install {_OURS} again."


def _has_files(distribution: Distribution, package: str) -> bool:
    # Not `distribution.files`, which parses every line of every RECORD.
    record = (distribution.read_text("RECORD") or "").lower()  # a file system may ignore case, as macOS and Windows do
    is_ours = str(distribution.name).lower().replace("_", "-") == _OURS
    return not is_ours and f"\n{package}/" in f"\n{record}"
