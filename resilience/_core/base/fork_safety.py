"""What a forked child does with what its parent's other threads held: they are not there, so it is free.

Only the thread that forks goes on in the child. A lock that another one held at that moment would
never be released, a slot never given back, a place in a line never taken.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import Any, Protocol
from weakref import WeakSet

__all__ = ["new_lock", "register_for_fork"]


class ForkAware(Protocol):
    """A part that does something of its own when it finds itself in a child."""

    def reset_after_fork(self) -> None:
        """Let go of what other threads had taken; its locks are free already."""


_LOCKS: WeakSet[Any] = WeakSet()
_PARTS: WeakSet[Any] = WeakSet()


def new_lock() -> Lock:
    """Return a lock that is free in a forked child, whoever held it."""
    made = Lock()
    _LOCKS.add(made)
    return made


def register_for_fork(part: ForkAware) -> None:
    """Let a part know of each fork, in the child."""
    _PARTS.add(part)


def _forked() -> None:
    for lock in tuple(_LOCKS):
        lock._at_fork_reinit()  # as the standard library does with its own
    for part in tuple(_PARTS):
        part.reset_after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch - there are no forks on Windows
    os.register_at_fork(after_in_child=_forked)
