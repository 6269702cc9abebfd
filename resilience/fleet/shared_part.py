"""Defines what a part that processes share is to the link: who talks to the store, when, and what an outage means."""

from __future__ import annotations

from typing import Any, Protocol

from .store import Store

__all__ = ["SharedPart"]


class SharedPart(Protocol):
    """One thing that is shared. Its methods are called by the link's thread alone, but for `describe`."""

    def next_due(self) -> float | None:
        """Return the instant by `time.monotonic` at which it wants to work unasked; None for never."""

    def work(self, store: Store) -> None:
        """Talk to the store. Called when it is due, and when it was asked by `StoreLink.wake`.

        A `StoreLostError` may be raised at any point: the link then calls `store_lost`, and tries again later.
        """

    def store_lost(self, reason: str) -> None:
        """Go on alone. Called once when the store is lost, before anything else is asked."""

    def store_back(self) -> None:
        """Use the store again. Called once when it answers, at the first connection too."""

    def reset_after_fork(self) -> None:
        """Forget in a forked child what belongs to the parent."""

    def describe(self) -> Any:
        """Return its state as plain data. Called from any thread."""
