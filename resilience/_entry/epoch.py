"""The one thing that tells compiled calls that policies have changed: an object that every change replaces."""

from __future__ import annotations

__all__ = ["EPOCH", "turn"]

EPOCH: list[object] = [object()]
"""Holds one object, which is replaced whenever compiled calls must be looked up anew."""


def turn() -> None:
    """Let every compiled call be looked up anew at its next use."""
    EPOCH[0] = object()
