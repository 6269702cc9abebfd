"""Marks each change of policies, so that compiled calls notice it by one identity test."""

from __future__ import annotations

__all__ = ["EPOCH", "start_new_epoch"]

EPOCH: list[object] = [object()]
"""Holds one object, which every `configure` and every reload replaces. A list, because importers of a name keep the
object that it had when they imported it."""


def start_new_epoch() -> None:
    """Make every compiled call look its policy up again at its next use."""
    EPOCH[0] = object()
