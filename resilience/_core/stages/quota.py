"""Implements what the attempts of one operation pay in all quotas of its policy.

Every attempt pays, retries and lookups too. What an API says of its limits only tightens our own: a hold lasts for as
long as it says, and what others have used counts as used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from .quota_entry import Cost, Quota
from .rate_window import QueueTicket, RateWindow

__all__ = ["Cost", "Quota", "Quotas", "pay", "pay_at_once", "undo"]

Weight = int | Callable[..., int] | None
_DAY, _LARGE = 86400.0, 1e12
_SAME_SPAN = 0.01  # the share by which the span that an API names may differ from ours


class Quotas:
    """All that the attempts of one operation pay, in the policy's order. Never changed.

    Attributes:
        entries: the quotas.
        unit_windows: the windows, where an operation pays one send in each of them; else None.
        single_window: the one window of an operation that pays one send in one, which a driver checks inline; else
            None.
    """

    __slots__ = ("_weights", "entries", "single_window", "unit_windows")

    def __init__(self, entries: Sequence[tuple[Quota, Weight]]) -> None:
        """Take each quota with the weight of an attempt in it."""
        self.entries = tuple(quota for quota, _ in entries)
        self._weights = tuple(weight for _, weight in entries)
        are_units = all(weight in (1, None) for weight in self._weights)
        self.unit_windows = tuple(quota.common for quota in self.entries) if are_units else None
        self.single_window = self.entries[0].common if are_units and len(self.entries) == 1 else None

    def quota_of_window(self, window: RateWindow) -> Quota:
        """Return the quota that this window belongs to, be it as other attempts or as cancels see it."""
        return next((quota for quota in self.entries if quota.has_window(window)), self.entries[0])

    def weights(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the weight in each quota of a call with these arguments."""
        return tuple(_weight(weight, args, kwargs) for weight in self._weights)

    def costs(
        self,
        now: float,
        weights: tuple[int, ...],
        queue_ticket: QueueTicket | None,
        *,
        high_priority: bool,
        is_cancel: bool = False,
    ) -> list[Cost]:
        """Return the cost per quota, without quotas of weight 0."""
        weighed = zip(self.entries, weights, strict=True)
        costs = [
            quota.cost(now, weight, queue_ticket, high_priority=high_priority) for quota, weight in weighed if weight
        ]
        return [(window.urgent, weight) for window, weight in costs] if is_cancel else costs

    def report_limits(
        self,
        now: float,
        *,
        remaining: float | None = None,
        resets_in: float | None = None,
        hold: float | None = None,
        limit: float | None = None,
        window: float | None = None,
        used: float | None = None,
    ) -> None:
        """Take what the API says of its limits; a value that makes no sense is ignored.

        Args:
            now: monotonic seconds.
            remaining: sends that are left in the window.
            resets_in: seconds until the window begins again.
            hold: seconds in which nothing may be sent: every entry is held.
            limit: sends that the window allows.
            window: its seconds.
            used: sends used in it.
        """
        if _is_sane(hold):
            self.hold(now, now + hold)
        quota = self._quota_of(limit, window)
        if quota is not None and _is_sane(window) and _is_sane(used):
            remaining = max(0.0, quota.settings.burst - used)
        if not _is_sane(remaining):
            return
        if quota is not None:
            quota.drain(now, int(min(remaining, quota.settings.burst)))
        if remaining < 1 and _is_sane(resets_in) and resets_in <= _DAY:
            (quota or self.entries[0]).hold(now, now + resets_in)

    def hold(self, now: float, until: float | None) -> None:
        """Send nothing before an instant; None holds the first entry, the strictest, for its own span."""
        if until is None:
            self.entries[0].hold(now, now + self.entries[0].span)
            return
        for quota in self.entries:
            quota.hold(now, until)

    def _quota_of(self, limit: float | None, window: float | None) -> Quota | None:
        """Return the entry that the API means: the one of this window, of this limit, else the first."""
        if _is_sane(window):
            return next((quota for quota in self.entries if abs(quota.span - window) <= _SAME_SPAN * window), None)
        return next((quota for quota in self.entries if quota.settings.burst == limit), self.entries[0])


def pay(now: float, costs: Sequence[Cost], queue_ticket: QueueTicket | None) -> tuple[float, RateWindow | None]:
    """Pay all costs at once, or none.

    Returns:
        (`now`, None) when all are paid; else the latest instant to try again, and the window that needs it.
    """
    latest, slowest = now, None
    for window, weight in costs:
        ready_at = window.ready_at(now, weight, _ticket_of(queue_ticket, window))
        if ready_at > latest:
            latest, slowest = ready_at, window
    if slowest is not None:
        return latest, slowest
    for index, (window, weight) in enumerate(costs):
        ready_at = window.take(now, weight, _ticket_of(queue_ticket, window))
        if ready_at > now:  # another thread was faster
            undo(now, costs[:index])
            return ready_at, window
    return now, None


def pay_at_once(windows: Sequence[RateWindow], now: float) -> bool:
    """Pay one send in each of the windows if all of them have room now; return whether they had."""
    for index, window in enumerate(windows):
        # No lock: see `WindowSends`. Between two windows another thread may run, so a later one may be full.
        if window.fast_path and window.sends[0] + window.span <= now < window.until:
            window.sends.append(now)
        else:
            undo(now, [(paid, 1) for paid in windows[:index]])
            return False
    return True


def undo(when: float, costs: Sequence[Cost]) -> None:
    """Give back what was paid at an instant."""
    for window, weight in costs:
        window.undo(when, weight)


def _ticket_of(queue_ticket: QueueTicket | None, window: RateWindow) -> QueueTicket | None:
    return queue_ticket if queue_ticket is not None and queue_ticket.rate_window is window else None


def _weight(weight: Weight, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    number = weight(*args, **kwargs) if callable(weight) else weight
    return 1 if number is None else max(0, int(number))


def _is_sane(value: object) -> TypeGuard[float]:
    """Return whether a value that an API sent can be meant as a number of sends or seconds."""
    return isinstance(value, (int, float)) and 0 <= value <= _LARGE
