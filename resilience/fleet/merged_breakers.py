"""Merges the breakers of all processes: they open on what all have counted, and one process makes the trial.

A bot with two calls per second never fills the window of its own breaker. Together they do. Nothing is sent while no
process has failures.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from functools import partial
from typing import Any

from .._core.stages.breaker import Breaker
from .keys import digest_of
from .merged_breaker import BreakerName, MergedBreaker
from .part_inputs import PartInputs
from .push_listener import listener_to
from .store import Store

__all__ = ["MergedBreakers"]

BEAT = 0.1  # seconds between two checks of what the breakers have counted; the store is asked only if that has changed


class MergedBreakers:
    """The breakers of one set of policies. Methods as in `SharedPart`."""

    def __init__(self, inputs: PartInputs) -> None:
        """Merge the breakers that exist, and those that come."""
        self._link, self._keys, self._membership = inputs.link, inputs.keys, inputs.membership
        self._clock, self._patience = inputs.clock.monotonic, inputs.settings.patience
        self._pool = inputs.shared.breakers
        self._channel = f"{inputs.keys.tag('breakers')}changed"
        self._listener = listener_to(inputs.settings.url, inputs.settings.patience)
        self._merged: dict[str, MergedBreaker] = {}
        self._new: deque[Breaker] = deque()
        self._news: deque[str] = deque(maxlen=10_000)
        self._is_lost = False
        self._due: float | None = 0.0
        self._pool.on_new = self._add_new
        self._add_all()

    def leave(self) -> None:
        """Merge nothing any more."""
        if self._pool.on_new == self._add_new:
            self._pool.on_new = None
        for merged in tuple(self._merged.values()):
            merged.leave()

    def _add_new(self, breaker: Breaker) -> None:
        """Merge a new breaker. The caller holds a lock: never waits."""
        self._new.append(breaker)
        self._wake()

    def changed(self, message: str) -> None:
        """Ask the store for the breaker that has changed; for all after a new subscription. Never waits."""
        self._news.append(message)
        self._wake()

    def _wake(self) -> None:
        if (link := self._link()) is not None:
            link.wake(self)

    # --- called by the link --------------------------------------------------------------------

    def next_due(self) -> float | None:
        """Return when the breakers are looked at; never while there are none."""
        return self._due

    def work(self, store: Store) -> None:
        """Tell the store what has changed here, and follow what was decided."""
        self._listener.subscribe(self._channel, self)
        self._merge_new()
        self._take_news()
        self._due = time.monotonic() + BEAT if self._merged else None
        for merged in tuple(self._merged.values()):
            merged.work(store)

    def store_lost(self, _reason: str) -> None:
        """Let each breaker decide alone."""
        self._is_lost = True
        for merged in tuple(self._merged.values()):
            merged.go_alone()

    def store_back(self) -> None:
        """Decide together again."""
        self._is_lost, self._due = False, 0.0
        for merged in tuple(self._merged.values()):
            merged.come_back()

    def reset_after_fork(self) -> None:
        """Go on in a forked child."""
        self._due, self._merged = 0.0, {}  # before the new ones: the child's thread may run already
        self._add_all()
        self._wake()

    def describe(self) -> list[dict[str, Any]]:
        """Return what was decided together, as plain data."""
        rows = []
        for merged in tuple(self._merged.values()):
            if (breaker := merged.breaker) is not None:
                row = {"policy": breaker.policy, "key": breaker.key, "state": merged.state}
                rows.append({**row, "opened_by": merged.opened_by, "has_trial": merged.has_trial})
        return sorted(rows, key=lambda row: (row["policy"], row["key"]))

    def _add_all(self) -> None:
        """Merge the breakers that exist. Of several with one name, the one that new calls get is merged: it is last."""
        self._new.extend(reversed(self._pool.all()))

    def _merge_new(self) -> None:
        while self._new:
            breaker = self._new.popleft()
            identity = breaker.policy, breaker.key
            digest = digest_of(identity)
            key = f"{self._keys.tag('breaker', identity)}state"
            name = BreakerName(key, self._channel, digest, self._membership.member)
            wake = partial(_wake, weakref.ref(self))
            merged = MergedBreaker(breaker, name, self._clock, self._patience, wake)
            merged.is_lost = self._is_lost
            if (displaced := self._merged.get(digest)) is not None:
                displaced.leave()  # nobody would answer its wish for a trial any more: it would stay open
            self._merged[digest] = merged
        for digest in [digest for digest, merged in self._merged.items() if merged.breaker is None]:
            del self._merged[digest]

    def _take_news(self) -> None:
        while self._news:
            digest = self._news.popleft()
            for merged in (self._merged.get(digest),) if digest else tuple(self._merged.values()):
                if merged is not None:
                    merged.ask_again()


def _wake(reference: weakref.ref[MergedBreakers]) -> None:
    if (part := reference()) is not None:
        part._wake()
