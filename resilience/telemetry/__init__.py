"""Writes events as log lines, and removes secrets from everything that is written."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .redaction import redact
    from .structlog import StructlogListener, new_event_log

__all__ = ["StructlogListener", "new_event_log", "redact"]

_HOMES = {"StructlogListener": ".structlog", "new_event_log": ".structlog", "redact": ".redaction"}


def __getattr__(name: str) -> Any:
    """Import a name on its first use: the patterns of `redaction` are compiled only where something is written."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value
