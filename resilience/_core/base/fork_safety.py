"""Provides locks that neither a forked child nor a signal handler finds taken, and resets queues in a forked child.

Only the thread that forks continues in the child. A lock that another thread held at that moment would never be
released, a slot never given back, and a turn in a queue never taken.

A signal handler runs between two bytecodes of a thread that may hold a lock, and may make calls of its own. So every
lock can be taken again by its owner, and `is_mine` tells it that what the lock protects may be half changed: it then
leaves a record, which the holder applies.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import RLock
from typing import Any, Protocol
from weakref import WeakSet

__all__ = ["is_mine", "new_lock", "owner_check", "register_for_fork"]


class ForkAware(Protocol):
    """A part with state of its own that is wrong in a forked child."""

    def reset_after_fork(self) -> None:
        """Forget what other threads had taken; locks of `new_lock` are free already."""


# Weak references: a lock or a part that nobody uses any more needs no reset.
_LOCKS: WeakSet[Any] = WeakSet()
_PARTS: WeakSet[Any] = WeakSet()


def new_lock() -> RLock:
    """Return a lock that its owner may take again, and that is free in a forked child."""
    lock = RLock()
    _LOCKS.add(lock)
    return lock


def owner_check(lock: Any) -> Callable[[], bool]:
    """Return a function that says whether this thread holds the lock.

    If it does, a signal handler runs, in the middle of what the lock protects. The lock itself knows its owner, so
    there is no moment at which it is taken and nobody's.
    """
    check: Callable[[], bool] = lock._is_owned  # private, but what `threading.Condition` asks of a lock
    return check


def is_mine(lock: Any) -> bool:
    """Return whether this thread holds the lock; see `owner_check`."""
    return bool(lock._is_owned())


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
