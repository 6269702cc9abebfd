"""Provides a dict with a limit: a new entry makes it forget old ones, or only those that its owner can spare."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

__all__ = ["BoundedDict"]

K = TypeVar("K")
V = TypeVar("V")


class BoundedDict(dict[K, V], Generic[K, V]):
    """A dict that forgets entries when `d[key] = value` or `setdefault` adds one beyond its limit.

    Reading costs what it costs in a dict. Safe across threads, tasks and signal handlers, without a lock: each change
    is one step in C (for keys of builtin types). Threads that add at the same moment may exceed the limit by one entry
    each, and the next one that adds makes up for it. A forked child can use its copy at once.

    Attributes:
        limit: the number of entries from which on an addition forgets others.
    """

    __slots__ = ("_full_at", "_spare", "limit")

    def __init__(self, limit: int, spare: Callable[[], Iterable[K]] | None = None) -> None:
        """Make an empty dict.

        Args:
            limit: the number of entries that are kept, at least 1.
            spare: returns the keys of the entries that can be forgotten, those first that are missed the least. It
                may be a generator, which is asked for as many as are needed. Of these, one whose value something else
                still refers to is kept. If too few are left, the limit is exceeded. Without it, the oldest entry is
                forgotten.
        """
        super().__init__()
        self.limit = limit
        self._spare = spare
        self._full_at = limit

    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= self._full_at:
            self._make_room(key)
        dict.__setitem__(self, key, value)  # `super()` takes longer

    def setdefault(self, key: K, default: V) -> V:
        """Return the value of a key, which is `default` if the key is new."""
        if len(self) >= self._full_at:
            self._make_room(key)
        return dict.setdefault(self, key, default)

    def _make_room(self, key: K) -> None:
        if key in self:
            return
        if self._spare is None:
            self._forget_oldest()
            return
        # An eighth at once: what can be spared is found among all entries, which for each new key would be quadratic.
        step = max(1, self.limit // 8)
        excess = len(self) - self.limit + step
        for spared in self._spare():
            if _references(self, spared) <= _ALONE:
                excess -= 1
                self.pop(spared, None)  # `None`: another thread may have forgotten the same one
                if not excess:
                    break
        self._full_at = self.limit if len(self) < self.limit else len(self) + step

    def _forget_oldest(self) -> None:
        while len(self) >= self.limit:
            try:
                self.pop(next(iter(self)), None)
            except RuntimeError:
                continue  # another thread or a signal handler changed it between the two steps


def _references(entries: dict[Any, Any], key: object) -> int:
    return sys.getrefcount(entries.get(key))


# How many references this interpreter counts for a value to which its dict alone refers. It is measured with the
# function that is asked later, because versions of CPython differ in what a call itself adds.
_ALONE = _references({"": object()}, "")
