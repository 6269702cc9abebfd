"""Defines why a store cannot be used: it does not answer, or it is not safe."""

from __future__ import annotations

__all__ = ["StoreLostError", "UnsafeStoreError"]


class StoreLostError(Exception):
    """The store does not answer in time. The text has no credentials."""


class UnsafeStoreError(StoreLostError):
    """The store answers, but what is written there is not kept, or the user may not do what is needed."""
