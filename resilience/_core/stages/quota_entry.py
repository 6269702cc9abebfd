"""Implements the quota of one policy entry and key: a window for all lanes, and one for those of high priority.

A share of the sends may be reserved for high-priority lanes. An ordinary attempt then sees a smaller window, and a
high-priority one takes from either.
"""

from __future__ import annotations

from collections.abc import Callable

from ..policy.sections import QuotaSettings
from .durations import Durations
from .rate_window import QueueTicket, RateWindow

__all__ = ["Cost", "Quota", "reserved_sends"]

Cost = tuple[RateWindow, int]
"""A window and how many of its sends an attempt counts for."""
KEPT_WAITS = 4096  # the last ones, one by one, for whoever exports them so


class Quota:
    """One entry of a policy for one key. Safe across threads and tasks; times are monotonic seconds.

    Attributes:
        settings: the entry.
        key: what it counts for, for `describe`.
        span: seconds in which `burst` sends are allowed.
        common: the window of all lanes.
        reserved: the window of high-priority lanes, or None.
        waits: how long attempts have waited for it.
    """

    __slots__ = ("_new_window", "common", "key", "reserved", "settings", "span", "waits")

    def __init__(
        self,
        settings: QuotaSettings,
        key: str = "",
        before: Quota | None = None,
        new_window: Callable[[str, int, float], RateWindow] | None = None,
    ) -> None:
        """Begin empty, or where a quota of other settings ends: a reload forgets no send.

        Args:
            settings: the entry.
            key: what it counts for.
            before: the quota that this one continues.
            new_window: makes a window that several processes share, from its lane (`common` or `reserved`), its sends
                and its span; None where each process is on its own.
        """
        self.settings = settings
        self.key = key
        self.waits: Durations = Durations(KEPT_WAITS) if before is None else before.waits
        reserve = reserved_sends(settings)
        self.span = settings.burst / settings.rate
        self._new_window = new_window or _new_window
        self.common = self._new_window("common", settings.burst - reserve, self.span)
        self.reserved = self._new_window("reserved", reserve, self.span) if reserve else None
        if before is not None:
            sends = [sent_at for window in before._windows for sent_at in window.history]
            for window in self._windows:  # in both: which of them was paid is not known any more
                window.follow(sends, before.held_until)

    def retune(self, settings: QuotaSettings) -> None:
        """Follow other settings: what was sent still counts, holds stay, and the queue keeps its order."""
        reserve, common, before = reserved_sends(settings), self.common, self.reserved
        self.span = span = settings.burst / settings.rate
        # Sends that one window cannot hold any more go to the other, so that none is forgotten.
        more = () if reserve or before is None else before.history
        surplus = common.retune(settings.burst - reserve, span, more)
        if reserve:
            reserved = before or self._new_window("reserved", reserve, span)
            surplus = reserved.retune(reserve, span, surplus)
            if before is None:
                reserved.follow((), common.held_until)
            common.retune(settings.burst - reserve, span, surplus)
            self.reserved = reserved
        else:
            self.reserved = None
        self.settings = settings

    def has_window(self, window: RateWindow) -> bool:
        """Return whether a window is one of this quota, be it as other attempts or as cancels see it."""
        return any(window in (own, own.urgent, own.urgent.on_credit) for own in self._windows)

    def cost(self, now: float, weight: int, queue_ticket: QueueTicket | None, *, high_priority: bool) -> Cost:
        """Return the window that an attempt pays: the common one, or the reserved one where it may send earlier."""
        reserved = self.reserved
        if reserved is None or not high_priority or weight > reserved.max_sends:
            return self.common, weight
        if queue_ticket is not None and queue_ticket.rate_window in (self.common, reserved):
            return queue_ticket.rate_window, weight
        common = self.common.ready_at(now, weight)
        return (self.common if common <= now or common <= reserved.ready_at(now, weight) else reserved), weight

    def hold(self, now: float, until: float) -> None:
        """Send nothing before an instant."""
        for window in self._windows:
            window.hold(now, until)

    def release(self, now: float) -> None:
        """Lift a hold; what was sent still counts."""
        for window in self._windows:
            window.release(now)

    def drain(self, now: float, left: int) -> None:
        """Reduce the remaining sends to what the API reports."""
        reserve = 0 if self.reserved is None else self.reserved.left(now)
        self.common.drain(now, left - reserve)
        if self.reserved is not None:
            self.reserved.drain(now, left)

    def left(self, now: float) -> int:
        """Return how many attempts could be sent at once."""
        return sum(window.left(now) for window in self._windows)

    def is_empty(self, now: float) -> bool:
        """Return whether a new quota would answer every question like this one."""
        return all(window.is_empty(now) for window in self._windows)

    @property
    def held_until(self) -> float:
        """The instant before which nothing is sent; -inf when there never was a hold."""
        return max(window.held_until for window in self._windows)

    @property
    def _windows(self) -> tuple[RateWindow, ...]:
        return (self.common,) if self.reserved is None else (self.common, self.reserved)


def _new_window(_lane: str, max_sends: int, span: float) -> RateWindow:
    return RateWindow(max_sends, span)


def reserved_sends(settings: QuotaSettings) -> int:
    """Return how many sends are for high-priority lanes alone: the share of the burst rounded up, never all of it."""
    return min(settings.burst - 1, round(settings.reserve * settings.burst + 0.499)) if settings.reserve else 0
