"""What an API allows us to send: the windows of one policy entry and key, and all that one operation pays.

Every attempt pays, retries and looks too. An API's own words only tighten what we allow ourselves:
a hold-off lasts until it says, and what others have used counts as used. A share may be reserved
for urgent lanes; then an ordinary attempt sees a smaller window, and an urgent one takes from either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from ..policy.sections import QuotaSettings
from .rate_window import QueueTicket, RateWindow

__all__ = ["Cost", "Quota", "Quotas", "pay", "undo"]

Cost = tuple[RateWindow, int]
"""A window and how many of its sends an attempt is worth."""
Weight = int | Callable[..., int] | None
_DAY, _LARGE = 86400.0, 1e12
_ALIKE = 0.01  # by what share two spans may differ and still be the same


class Quota:
    """One entry of a policy for one key. Safe across threads and tasks; times are monotonic seconds.

    Attributes:
        settings: what it was made from.
        key: what it counts for, for `describe`.
        span: seconds in which `burst` sends are allowed.
        common: the window of all lanes.
        reserved: the window of urgent lanes, or None.
    """

    __slots__ = ("common", "key", "reserved", "settings", "span")

    def __init__(self, settings: QuotaSettings, key: str = "", before: Quota | None = None) -> None:
        """Begin empty, or where a quota of other settings ends: a reload forgets no send."""
        self.settings = settings
        self.key = key
        kept = _kept(settings)
        self.span = settings.burst / settings.rate
        self.common = RateWindow(settings.burst - kept, self.span)
        self.reserved = RateWindow(kept, self.span) if kept else None
        if before is not None:
            sends = [at for rate_window in before._gauges for at in tuple(rate_window.sends)]
            for rate_window in self._gauges:  # in both: who may have been which is not known any more
                rate_window.follow(sends, before.held_until)

    def retune(self, settings: QuotaSettings) -> None:
        """Take other settings in place: what was sent counts on, holds stay, and who waits keeps the place."""
        kept, common, before = _kept(settings), self.common, self.reserved
        self.span = span = settings.burst / settings.rate
        homeless = common.retune(settings.burst - kept, span, () if kept or before is None else tuple(before.sends))
        if kept:
            reserved = before or RateWindow(kept, span)
            homeless = reserved.retune(kept, span, homeless)
            if before is None:
                reserved.follow((), common.held_until)
            common.retune(settings.burst - kept, span, homeless)  # what the reserve has no place for any more
            self.reserved = reserved
        else:
            self.reserved = None
        self.settings = settings

    def cost(self, now: float, weight: int, queue_ticket: QueueTicket | None, *, high_priority: bool) -> Cost:
        """Return where an attempt pays: in the common window, or an urgent one where it may leave first."""
        reserved = self.reserved
        if reserved is None or not high_priority or weight > reserved.most:
            return self.common, weight
        if queue_ticket is not None and queue_ticket.rate_window in (self.common, reserved):
            return queue_ticket.rate_window, weight
        common = self.common.ready_at(now, weight)
        return (self.common if common <= now or common <= reserved.ready_at(now, weight) else reserved), weight

    def hold(self, now: float, until: float) -> None:
        """Let nobody send before an instant."""
        for rate_window in self._gauges:
            rate_window.hold(now, until)

    def drain(self, now: float, left: int) -> None:
        """Learn from the API how many sends are left; what we thought we had beyond that is used."""
        kept = 0 if self.reserved is None else self.reserved.left(now)
        self.common.drain(now, left - kept)
        if self.reserved is not None:
            self.reserved.drain(now, left)

    def left(self, now: float) -> int:
        """Return how many attempts could be sent at once."""
        return sum(rate_window.left(now) for rate_window in self._gauges)

    @property
    def held_until(self) -> float:
        """The instant before which nobody sends; -inf when there never was one."""
        return max(rate_window.held_until for rate_window in self._gauges)

    @property
    def _gauges(self) -> tuple[RateWindow, ...]:
        return (self.common,) if self.reserved is None else (self.common, self.reserved)


class Quotas:
    """All that the attempts of one operation pay, in the policy's order. Never changed."""

    __slots__ = ("_ones", "_weights", "entries", "plain")

    def __init__(self, entries: Sequence[tuple[Quota, Weight]]) -> None:
        """Take each window with what an attempt is worth to it."""
        self.entries = tuple(one for one, _ in entries)
        self._weights = tuple(weight for _, weight in entries)
        ones = all(weight in (1, None) for weight in self._weights)
        self._ones = [one.common for one in self.entries] if ones else None
        self.plain = self.entries[0].common if ones and len(self.entries) == 1 else None
        """The one window of an operation that pays one send in one: what a driver asks inline."""

    def pay_at_once(self, now: float) -> bool:
        """Pay one send in each window if all of them have room, as a driver does inline; else nothing is taken."""
        gauges = self._ones or ()
        for place, rate_window in enumerate(gauges):
            if rate_window.fast_path and rate_window.sends[0] + rate_window.span <= now:
                rate_window.sends.append(now)
            else:
                undo(now, [(one, 1) for one in gauges[:place]])
                return False
        return bool(gauges)

    def weights(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[int, ...]:
        """Return what each window is paid for a call with these arguments."""
        return tuple(_weight(one, args, kwargs) for one in self._weights)

    def costs(
        self, now: float, weights: tuple[int, ...], queue_ticket: QueueTicket | None, *, high_priority: bool
    ) -> list[Cost]:
        """Return where an attempt pays; what weighs nothing pays nothing."""
        both = zip(self.entries, weights, strict=True)
        return [one.cost(now, weight, queue_ticket, high_priority=high_priority) for one, weight in both if weight]

    def told(
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
        """Learn what the API says of its limits; a value that makes no sense says nothing.

        Args:
            now: monotonic seconds.
            remaining: sends that are left in the window.
            resets_in: seconds until the window begins anew.
            hold: seconds in which nothing may be sent: every entry is held.
            limit: sends that the window allows.
            window: its seconds.
            used: sends used in it.
        """
        if _sane(hold):
            self.hold(now, now + hold)
        about = self._about(limit, window)
        if about is not None and _sane(window) and _sane(used):
            remaining = max(0.0, about.settings.burst - used)
        if not _sane(remaining):
            return
        if about is not None:
            about.drain(now, int(min(remaining, about.settings.burst)))
        if remaining < 1 and _sane(resets_in) and resets_in <= _DAY:
            (about or self.entries[0]).hold(now, now + resets_in)

    def hold(self, now: float, until: float | None) -> None:
        """Let nobody send before an instant; None holds the first entry, the closest one, for its own span."""
        if until is None:
            self.entries[0].hold(now, now + self.entries[0].span)
            return
        for one in self.entries:
            one.hold(now, until)

    def _about(self, limit: float | None, window: float | None) -> Quota | None:
        """Return the entry that the API speaks of: of this window, of this limit, else the first."""
        if _sane(window):
            return next((one for one in self.entries if abs(one.span - window) <= _ALIKE * window), None)
        return next((one for one in self.entries if one.settings.burst == limit), self.entries[0])


def _kept(settings: QuotaSettings) -> int:
    """Return how many sends of the window are for urgent lanes alone."""
    return min(settings.burst - 1, round(settings.reserve * settings.burst + 0.499)) if settings.reserve else 0


def pay(now: float, costs: Sequence[Cost], queue_ticket: QueueTicket | None) -> tuple[float, RateWindow | None]:
    """Take all costs at once, or none: returns (`now`, None), or the latest instant and the window that asks for it."""
    latest, slow = now, None
    for rate_window, weight in costs:
        at = rate_window.ready_at(now, weight, _own(queue_ticket, rate_window))
        if at > latest:
            latest, slow = at, rate_window
    if slow is not None:
        return latest, slow
    for place, (rate_window, weight) in enumerate(costs):
        at = rate_window.take(now, weight, _own(queue_ticket, rate_window))
        if at > now:  # somebody was faster
            undo(now, costs[:place])
            return at, rate_window
    return now, None


def undo(at: float, costs: Sequence[Cost]) -> None:
    """Give back what was paid at an instant."""
    for rate_window, weight in costs:
        rate_window.undo(at, weight)


def _own(queue_ticket: QueueTicket | None, rate_window: RateWindow) -> QueueTicket | None:
    return queue_ticket if queue_ticket is not None and queue_ticket.rate_window is rate_window else None


def _weight(given: Weight, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    weight = given(*args, **kwargs) if callable(given) else given
    return 1 if weight is None else max(0, int(weight))


def _sane(value: object) -> TypeGuard[float]:
    """Tell whether what an API says is a number that can be meant."""
    return isinstance(value, (int, float)) and 0 <= value <= _LARGE
