"""Stores keyed writes on disk before they are sent and settles them after, so that a restarted bot finds its orders."""

from __future__ import annotations

from typing import Any

from .outbox import Outbox
from .resume import ResumedWrite
from .row import Row

__all__ = ["Outbox", "ResumedWrite", "Row"]


def __getattr__(name: str) -> Any:
    """Return `ResumedWrite` under its name in 0.1, with a warning."""
    if name == "Replayed":
        from warnings import warn

        warn("resilience.outbox.Replayed is deprecated: use ResumedWrite", DeprecationWarning, stacklevel=2)
        return ResumedWrite
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
