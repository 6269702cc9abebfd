"""Keeps a set of entries in the store that all processes see alike: each has a name, a value, and an end or none."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from math import ceil
from typing import Any, NamedTuple

from .entries_script import ENTRIES
from .store import Store

__all__ = ["Changes", "Entry", "SharedEntries"]

_Action = tuple[str, str, float | None, str]
"""(`new`, `old`, `drop` or `clear`; field; monotonic instant of the end, or None; value)."""


class Entry(NamedTuple):
    """One entry. The instant is monotonic; None is no end."""

    value: Mapping[str, Any]
    until: float | None


class Changes(NamedTuple):
    """What a question has brought.

    Attributes:
        entries: everything in the store, by field.
        dropped: the fields that another process has dropped, or this one, since the last question.
        forgotten: the fields that the store had and has lost.
    """

    entries: Mapping[str, Entry]
    dropped: tuple[str, ...]
    forgotten: tuple[str, ...]


class SharedEntries:
    """The entries of one name. `add`, `drop` and `clear` may be called from any thread, the rest from the link's alone.

    An action stays noted until the store has answered. So one that was carried out, but whose answer was lost, is
    carried out again; each can be.
    """

    def __init__(self, key: str, channel: str) -> None:
        self._key = key
        self._channel = channel
        self._generation = 0
        self._actions: deque[_Action] = deque()
        self._last: Mapping[str, Entry] = {}

    def add(self, field: str, value: Mapping[str, Any], until: float | None) -> None:
        """Have an entry kept until an instant, or until it is dropped."""
        self._actions.append(("new", field, until, json.dumps(value)))

    def drop(self, fields: Iterable[str]) -> None:
        """Have entries dropped."""
        for field in fields:
            self._actions.append(("drop", field, None, ""))

    def clear(self) -> None:
        """Have all entries dropped, those too that this process does not know yet."""
        self._actions.append(("clear", "", None, ""))

    def put_back(self, fields: Iterable[str]) -> None:
        """Have entries kept that the store has lost, unless another process has dropped them."""
        for field in fields:
            entry = self._last[field]
            self._actions.append(("old", field, entry.until, json.dumps(entry.value)))

    def ask(self, store: Store, clock: Callable[[], float]) -> Changes:
        """Carry out what is noted, and learn what the store has.

        Ends are counted from after the answer: what the entries forbid is never allowed too early.

        Args:
            store: the store.
            clock: monotonic seconds.

        Raises:
            StoreLostError: no answer has come; everything stays noted.
        """
        actions, now = tuple(self._actions), clock()
        arguments = [part for action in actions for part in _arguments(action, now)]
        answer = store.run(ENTRIES, [self._key], [self._generation, self._channel, *arguments])
        for _ in actions:
            self._actions.popleft()
        now = clock()
        own_drops = [field for kind, field, _, _ in actions if kind in ("drop", "clear")]
        return self._take(int(answer[0]), dict(_entries(answer[1:], now)), now, own_drops)

    def is_changing(self, field: str) -> bool:
        """Return whether something is noted for an entry that the store has not been sent yet."""
        return any(noted == field or kind == "clear" for kind, noted, _, _ in tuple(self._actions))

    def lasting(self, now: float) -> list[Entry]:
        """Return the entries that were known last and are not over. May be called from any thread."""
        return [entry for entry in tuple(self._last.values()) if entry.until is None or entry.until > now]

    def _take(self, generation: int, entries: Mapping[str, Entry], now: float, own_drops: list[str]) -> Changes:
        lasting = {field: one for field, one in self._last.items() if one.until is None or one.until > now}
        missing = [field for field in lasting if field not in entries]
        if generation > self._generation + len(own_drops) or "" in own_drops:  # another one has dropped some, or all
            dropped = missing
        else:
            dropped = [field for field in missing if field in own_drops]
        forgotten = tuple(field for field in missing if field not in dropped)
        self._generation = generation
        self._last = {**entries, **{field: lasting[field] for field in forgotten}}
        return Changes(entries, tuple(dropped), forgotten)


def _arguments(action: _Action, now: float) -> tuple[str, str, int, str]:
    kind, field, until, value = action
    return kind, field, -1 if until is None else max(0, ceil((until - now) * 1000)), value


def _entries(answer: list[bytes], now: float) -> Iterable[tuple[str, Entry]]:
    for field, left, value in zip(answer[::3], answer[1::3], answer[2::3], strict=True):
        milliseconds = int(left)
        until = None if milliseconds < 0 else now + milliseconds / 1000
        try:
            yield field.decode(), Entry(dict(json.loads(value)), until)
        except (TypeError, ValueError):
            pass  # not ours: whoever wrote it must not keep the others from being obeyed
