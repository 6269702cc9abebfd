"""Remembers which writes are uncertain just now, so that a stream that reports one of them ends the wait for it.

A lookup by query may have to wait for the fence; a stream reports an order as soon as it exists. The report settles
nothing by itself: it ends the wait, the next lookup returns the order in the form of the write, and "not found" is no
longer believed.

Nothing here takes a lock: a signal handler may place orders while the code that it interrupted was in here. Every step
is one operation on a set or a deque, which the interpreter makes atomic. A write is open while its handle is in the
set; whoever adds it made it before, so that `finally: handles.discard(handle)` leaves nothing behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, NamedTuple
from weakref import WeakSet

from ..base.fork_safety import register_for_fork
from .unsettled_writes import UnsettledWrites

__all__ = ["OPEN_WRITES", "OpenWriteHandle", "OpenWrites"]

_KEPT_REPORTS = 512  # a stream often reports an order before the write has failed


class _Report(NamedTuple):
    """A report of a stream: the order's client id, its row, the account, and when it came, in monotonic seconds."""

    key: str
    row: Any
    account: str | None
    at: float


class OpenWriteHandle:
    """One uncertain write that waits to be reported, once it is registered. Closed by the call that opened it.

    Attributes:
        key: the client id of its order.
        account: the account that it belongs to, or None if that is not known.
        reported: the row with which a stream has reported the order, or None.
        has_news: it was reported since the call looked; the call sets it to False.
        wake: functions that are called when it is reported, from the thread of the stream.
    """

    __slots__ = ("_writes", "account", "has_news", "key", "reported", "wake")

    def __init__(self, writes: OpenWrites, key: str, account: str | None = None) -> None:
        self._writes = writes
        self.key = key
        self.account = account
        self.reported: Any = None
        self.has_news = False
        self.wake: list[Callable[[], object]] = []

    def close(self) -> None:
        """Forget the write; calling it again does nothing."""
        self._writes.handles.discard(self)

    def take_report(self, row: Any) -> None:
        """Record a report and wake whoever waits for it."""
        self.reported = row
        self.has_news = True  # before the call is woken, which then finds it
        for wake in tuple(self.wake):
            try:
                wake()
            except Exception:  # its event loop was closed meanwhile: nobody waits there any more
                pass


class OpenWrites:
    """The uncertain writes of a process. Safe across threads.

    Attributes:
        handles: those that are open. Few at any time, so a report looks at all of them.
    """

    __slots__ = ("__weakref__", "_reports", "_unsettled", "handles")

    def __init__(self) -> None:
        self.handles: set[OpenWriteHandle] = set()
        self._reports: deque[_Report] = deque(maxlen=_KEPT_REPORTS)
        self._unsettled: WeakSet[UnsettledWrites] = WeakSet()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Forget the writes of the parent's threads, which wait for nothing here."""
        self.handles.clear()

    def __len__(self) -> int:
        return len(self.handles)

    def settle_in(self, unsettled: UnsettledWrites) -> None:
        """Have each reported order settle its write among these too, whose call has ended; refers to them weakly."""
        self._unsettled.add(unsettled)

    def register(self, key: str, account: str | None = None, *, since: float = inf) -> OpenWriteHandle:
        """Add an uncertain write and return its handle, which must be closed.

        Args:
            key: the client id of its order.
            account: the account that it belongs to; None matches the reports of every account.
            since: as for `add`.
        """
        handle = OpenWriteHandle(self, key, account)
        self.add(handle, since=since)
        return handle

    def add(self, handle: OpenWriteHandle, *, since: float = inf) -> None:
        """Add an uncertain write by its handle.

        Args:
            handle: the handle.
            since: monotonic seconds, by the machine's clock, when the write began: a report that came since then
                counts. By default none does.
        """
        self.handles.add(handle)
        # Searched after it was added, so that a report in between is seen in one of the two places.
        for report in tuple(self._reports):
            if report.key == handle.key and report.at >= since and _is_same(report.account, handle.account):
                handle.take_report(report.row)

    def report(self, key: str, row: Any, account: str | None = None, *, at: float = -inf) -> bool:
        """Take an order that a stream reports, and return whether an uncertain write waited for it.

        Args:
            key: the order's client id.
            row: the order, as the stream reports it.
            account: the account of the stream.
            at: monotonic seconds of the machine's clock.
        """
        self._reports.append(_Report(key, row, account, at))
        for unsettled in tuple(self._unsettled):
            unsettled.settle(key, account=account)
        handles = [one for one in tuple(self.handles) if one.key == key and _is_same(one.account, account)]
        for handle in handles:
            handle.take_report(row)
        return bool(handles)


def _is_same(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


OPEN_WRITES = OpenWrites()
"""The uncertain writes of this process."""
