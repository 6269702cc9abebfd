"""Remembers the values that are removed from everything that is written, and finds their spellings in a text.

A few values are remembered for good: credentials. All spellings of these are looked for one by one. Of others, such as
the signature of each request, the last 512 are remembered. A text is not compared with each of them: four characters of
a value that no encoding changes, its anchor, are in every spelling of it, so one pass over the text finds the values
that may be in it. What a line costs does not depend on how many signatures there were.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from math import inf
from urllib.parse import quote, quote_plus

from .._core.base.fork_safety import is_mine, new_lock

__all__ = ["MAX_PASSING", "RegisteredSecrets", "spellings"]

MIN_LENGTH = 4  # of a registered value; a shorter one would be found inside ordinary words
MAX_PASSING = 512
_ANCHOR = re.compile(r"[A-Za-z0-9_.~-]{4}")
_WINDOWS = [slice(start, start + 4) for start in range(1024)]


@lru_cache(maxsize=4 * MAX_PASSING)
def spellings(value: str) -> tuple[str, ...]:
    """Return the spellings of a value: plain, in URLs, in JSON (escaped once and twice) and in reprs."""
    encoded = [quote(value, safe=""), quote(value), quote_plus(value)]
    lowered = [re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in encoded]
    escaped = [json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]]
    doubled = [json.dumps(form)[1:-1] for form in escaped]
    slashed = [form.replace("/", "\\/") for form in escaped]
    return tuple({value, value.strip(), *encoded, *lowered, *escaped, *doubled, *slashed} - {""})


class RegisteredSecrets:
    """The values that are replaced wherever they occur. Safe across threads and signal handlers.

    Attributes:
        permanent: those that are remembered for good.
        passing: the last 512 others, oldest first.
    """

    # What is added waits in `_pending` until the lock is free: a signal handler may interrupt an addition of its own
    # thread. A value leaves it only when it is found by its spellings or its anchor, so it is found at every moment.
    __slots__ = ("_anchors", "_forms", "_lock", "_pending", "_shortest", "_shortest_passing", "passing", "permanent")

    def __init__(self, permanent: Iterable[str] = ()) -> None:
        self.permanent: dict[str, None] = {}
        self.passing: dict[str, None] = {}
        self._forms: tuple[str, ...] = ()  # every spelling of the permanent ones, longest first
        self._shortest: float = inf
        self._shortest_passing: float = inf
        self._anchors: dict[str, tuple[str, ...]] = {}
        self._pending: deque[tuple[str, bool]] = deque()
        self._lock = new_lock()
        for value in permanent:
            self.add(value)

    def add(self, value: str, *, passing: bool = False) -> None:
        """Find a value from now on; one of fewer than 4 characters is not remembered."""
        if len(value) < MIN_LENGTH or value in self.permanent:
            return
        self._pending.append((value, passing))
        while self._pending and not is_mine(self._lock):  # else the holder, which this has interrupted, does it
            with self._lock:
                while self._pending:
                    self._take(*self._pending[0])
                    self._pending.popleft()

    def found_in(self, text: str) -> list[str]:
        """Return the spellings of registered values that are in a text, longest first.

        One that is inside a longer one comes after it.
        """
        found: list[str] = []
        if len(text) >= self._shortest:
            found = [form for form in self._forms if form in text]
        passing = self._passing_in(text) if len(text) >= self._shortest_passing else ()
        if passing or self._pending:
            values = chain(passing, [value for value, _ in tuple(self._pending)])
            forms = (form for value in values for form in spellings(value))
            found = sorted({*found, *(form for form in forms if form in text)}, key=len, reverse=True)
        return found

    def _passing_in(self, text: str) -> list[str]:
        """Return the passing values whose anchor is in a text, and those that have none."""
        anchors = self._anchors
        without = [*anchors.get("", ())]
        if anchors.keys().isdisjoint(_windows(text)):
            return without
        return without + [value for window in {*_windows(text)} for value in anchors.get(window, ())]

    def _take(self, value: str, passing: bool) -> None:
        """Take a value up; the lock is held."""
        if not passing:
            self._take_for_good(value)
        elif value not in self.passing:
            anchor = _anchor_of(value)
            self._shortest_passing = min(self._shortest_passing, len(value.strip()))
            self._anchors[anchor] = (*self._anchors.get(anchor, ()), value)
            self.passing[value] = None
            if len(self.passing) > MAX_PASSING:
                self._forget(next(iter(self.passing)))

    def _take_for_good(self, value: str) -> None:
        self.permanent[value] = None
        forms = {form for known in self.permanent for form in spellings(known)}
        self._forms = tuple(sorted(forms, key=len, reverse=True))
        self._shortest = min(map(len, forms))

    def _forget(self, value: str) -> None:
        del self.passing[value]
        anchor = _anchor_of(value)
        rest = tuple(other for other in self._anchors[anchor] if other != value)
        if rest:
            self._anchors[anchor] = rest
        else:
            del self._anchors[anchor]


def _anchor_of(value: str) -> str:
    """Return four characters of a value that are in each of its spellings; empty where there are none."""
    match = _ANCHOR.search(value)
    return "" if match is None else match[0]


def _windows(text: str) -> Iterator[str]:
    """Yield each four characters of a text that follow each other."""
    size = len(text) - 3
    if size <= len(_WINDOWS):
        return map(text.__getitem__, _WINDOWS[:size])  # nothing of it runs in Python
    return (text[start : start + 4] for start in range(size))
