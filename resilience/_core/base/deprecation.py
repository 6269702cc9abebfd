"""Emits warnings that point at a line of the program, most of them about names of version 0.1."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn", "warn_safely"]

_PACKAGE = __name__.partition(".")[0]
# `dataclasses.replace` and `copy.replace` construct a settings class for their caller.
_SKIPPED = (_PACKAGE, "dataclasses", "copy")


def warn(message: str, category: type[Warning] = DeprecationWarning) -> None:
    """Emit a warning that points at the line outside this library that caused it."""
    # Python shows a DeprecationWarning by default only where it points into __main__: a level inside the library
    # would hide it. A dataclass's generated __init__ has the globals of its module, so it is skipped as well.
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _SKIPPED:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def warn_safely(message: str, category: type[Warning] = DeprecationWarning) -> None:
    """Do as `warn`, and never raise: where an error would drop a listener, stop a reload or lose an answer."""
    try:
        warn(message, category)
    except Exception:
        pass  # a filter turns warnings into errors, or the program's own `showwarning` failed
