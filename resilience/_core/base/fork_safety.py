"""Resets locks and queues in a forked child, where the threads that held them do not exist.

Only the thread that forks continues in the child. A lock that another thread held at that moment would never be
released, a slot never given back, and a turn in a queue never taken.
"""

from __future__ import annotations

import os
from threading import Lock, RLock
from typing import Any, Protocol
from weakref import WeakSet

__all__ = ["new_lock", "new_reentrant_lock", "register_for_fork"]


class ForkAware(Protocol):
    """A part with state of its own that is wrong in a forked child."""

    def reset_after_fork(self) -> None:
        """Forget what other threads had taken; locks of `new_lock` are free already."""


# Weak references: a lock or a part that nobody uses any more needs no reset.
_LOCKS: WeakSet[Any] = WeakSet()
_PARTS: WeakSet[Any] = WeakSet()


def new_lock() -> Lock:
    """Return a lock that is free in a forked child, even if another thread held it."""
    lock = Lock()
    _LOCKS.add(lock)
    return lock


def new_reentrant_lock() -> RLock:
    """Return a lock like that of `new_lock` which its owner may take again, as a signal handler's own call does."""
    lock = RLock()
    _LOCKS.add(lock)
    return lock


def register_for_fork(part: ForkAware) -> None:
    """Call the part's `reset_after_fork` in every forked child, for as long as the part lives."""
    _PARTS.add(part)


def _reset_child() -> None:
    # Copies, because a reset may make new locks. Only one thread exists here, so nothing else changes the sets.
    for lock in tuple(_LOCKS):
        lock._at_fork_reinit()  # private, but what `threading` and `logging` do with their own locks
    for part in tuple(_PARTS):
        part.reset_after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_reset_child)
