"""Leases permits of shared quotas from the store, for all windows of one set of policies."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any
from weakref import WeakKeyDictionary

from .._core.stages.lease import Lease, LeaseQuestion
from .._core.stages.lease_terms import lease_terms
from .._core.stages.leased_window import LeasedWindow
from .part_inputs import PartInputs
from .quota_script import BOOK, KNOWN
from .store import Store
from .store_errors import StoreLostError

__all__ = ["QuotaLeases"]

_MICRO = 1_000_000
_MARGIN, _OF_THE_SPAN = 0.02, 0.1
"""Seconds, and share of a window, for which spent permits count longer, because a send follows its permit."""
_MANY = 200  # entries of a sorted set from which on they are counted in slices of the window
_AHEAD = 1.25
"""Seconds, but no more than as many windows, before its begin from which on a lease is sure: the store is asked again
then. While all is well a lease begins a window and a report later at most, so that hardly any is asked about again."""
_ODD = re.compile(r"[^\w.-]")


class QuotaLeases:
    """The shared windows of one set of policies. `new_window` and `describe` are safe across threads.

    Law 5: no clock of ours meets another's. The store answers with durations by its own clock. A lease begins that
    long after the answer came, and ends that long after the question was sent: early at worst, never late.
    """

    def __init__(self, inputs: PartInputs) -> None:
        self._settings, self._clock, self._keys, self._link = inputs.settings, inputs.clock, inputs.keys, inputs.link
        self._asking: SimpleQueue[LeasedWindow] = SimpleQueue()
        self._windows: WeakKeyDictionary[LeasedWindow, tuple[str, list[str]]] = WeakKeyDictionary()
        self._unsure: list[tuple[float, LeasedWindow, Lease]] = []
        self._granted = 0

    def new_window(self, name: tuple[Any, ...], lane: str, max_sends: int, span: float) -> LeasedWindow:
        """Return a window that all processes of the fleet share which give it the same name.

        Args:
            name: what a `LimitPool` calls the quota: its name, or policy and index, and then its key.
            lane: `common` or `reserved`.
            max_sends: sends in `span` that all processes are allowed together.
            span: seconds.
        """
        shared = self._settings
        terms_of = partial(lease_terms, processes=shared.processes, lease=shared.lease, patience=shared.patience)
        window = LeasedWindow(max_sends, span, terms_of, self._ask, self._clock.time)
        words = name[0] if isinstance(name[0], str) else ".".join(map(str, name[0]))
        tag = self._keys.tag(_ODD.sub("_", words)[:64], (name, lane))
        self._windows[window] = words, [f"{tag}sends", f"{tag}epoch"]
        return window

    def _ask(self, window: LeasedWindow) -> None:
        self._asking.put(window)
        link = self._link()
        if link is not None:
            link.wake(self)

    # --- in the link's thread -----------------------------------------------------------------

    def reset_after_fork(self) -> None:
        """Forget the questions of the parent; its windows forget their permits by themselves."""
        self._asking, self._unsure = SimpleQueue(), []

    def next_due(self) -> float | None:
        """Return when a lease that begins late becomes sure; all else is asked by calls."""
        return min((due for due, _, _ in self._unsure), default=None)

    def work(self, store: Store) -> None:
        """Book a lease for each window that has asked."""
        for window in self._asked():
            question = window.question()
            try:
                self._book(store, window, question)
            except StoreLostError:
                window.lose(question)
                raise
        self._make_sure(store)

    def _asked(self) -> Iterator[LeasedWindow]:
        while True:
            try:
                yield self._asking.get_nowait()
            except Empty:
                return

    def _book(self, store: Store, window: LeasedWindow, question: LeaseQuestion) -> None:
        span = window.window_span
        life = self._settings.lease
        margin, ahead = min(_MARGIN, span * _OF_THE_SPAN), _AHEAD * min(1.0, span)
        has_many = window.terms.leased > _MANY * window.terms.max_batch
        bucket = span / _MANY if has_many else 1 / _MICRO
        seconds = [round(value * _MICRO) for value in (span, life)]
        slices = [round(value * _MICRO) for value in (margin, bucket)]
        least = min(question.least, question.wanted), round(ahead * _MICRO)
        asked_at, asked_at_wall = self._clock.monotonic(), self._clock.time()
        ended = [part for lease in question.ended for part in (*lease.lease.receipt, lease.lease.permits, lease.spent)]
        args = [window.terms.leased, *seconds, question.wanted, *slices, question.overdrawn, *least, *ended]
        permits, delay, epoch, ends, is_cold = store.run(BOOK, self._windows[window][1], args)
        now = self._clock.monotonic()
        wait = int(delay) / _MICRO
        self._granted += permits
        receipt, later = (int(epoch), int(ends)), wait + life
        granted = Lease(now + wait, asked_at + later, permits, receipt, wait > ahead, asked_at_wall + later)
        if granted.is_unsure:
            self._unsure.append((time.monotonic() + wait - ahead, window, granted))
        window.grant(granted, now, now - asked_at, is_cold=bool(is_cold))

    def _make_sure(self, store: Store) -> None:
        """Ask whether the store still knows the leases that begin soon and were booked long ago."""
        for entry in tuple(self._unsure):
            due, window, lease = entry
            if due <= time.monotonic():
                epoch = store.run(KNOWN, self._windows[window][1][1:], [])
                self._unsure.remove(entry)
                window.settle(lease, is_known=int(epoch or 0) == lease.receipt[0])

    def store_lost(self, _reason: str) -> None:
        """Have each window go on alone, by its standing part."""
        for window in tuple(self._windows):
            window.lose()

    def store_back(self) -> None:
        """Do nothing: each window goes on alone until one of its questions is answered, so that no call waits twice."""

    def describe(self) -> dict[str, Any]:
        """Return how each limit is divided, and the permits that this process was granted."""
        rows = [
            {
                "name": words,
                "limit": window.max_sends,
                "leased": window.terms.leased,
                "standing": window.terms.standing,
                "in_hand": window.in_hand(self._clock.monotonic()),
            }
            for window, (words, _) in tuple(self._windows.items())
        ]
        return {"granted": self._granted, "windows": rows}
