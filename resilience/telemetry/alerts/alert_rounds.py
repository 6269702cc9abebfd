"""Decides in rounds what is sent and when: it looks for new entries, sends them, and says when the next round is due.

A round never waits. While the webhook fails, new entries join those that wait, so that a long outage of the chat ends
with one message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..._core.base.bounded_dict import BoundedDict
from ..inbox import Inbox
from ..inbox_entry import KINDS, InboxEntry
from .new_entries import NewEntries
from .webhook import Delivery

__all__ = ["AlertRounds", "WatchedPolicies"]

MAX_WAITING = 20_000  # entries; from here on the oldest is forgotten, and no message counts it
FIRST_DELAY, MAX_DELAY = 2.0, 120.0
"""Seconds until a message is sent again: doubled with each failure."""
POLL = 30.0
"""Seconds between two checks where no event asks for one: writes of an earlier run come without an event."""


class WatchedPolicies(Protocol):
    """What alerts ask of policies; `Policies` has it."""

    def snapshot(self) -> dict[str, Any]:
        """Return all state as plain data."""

    def subscribe(self, listener: Any) -> Callable[[], None]:
        """Send every event to a function until the returned function is called."""


class AlertRounds:
    """The state of what is to be sent. Used by one thread.

    Attributes:
        waiting: the entries of the next message, by their ids.
        failures: how often in a row the webhook has failed.
    """

    def __init__(
        self,
        policies: WatchedPolicies,
        inbox: Inbox,
        news: NewEntries,
        send: Callable[[list[InboxEntry]], Delivery],
        report: Callable[[Delivery], None],
        *,
        every: float,
        poll: float,
    ) -> None:
        """Begin without anything to send.

        Args:
            policies: the policies that are watched.
            inbox: the listener of their events.
            news: what somebody has been alerted to.
            send: posts a message about entries.
            report: writes a log line about a webhook that fails, once until it works again.
            every: the least number of seconds between two messages.
            poll: the greatest number of seconds between two checks.
        """
        self._policies, self._inbox, self._news = policies, inbox, news
        self._send, self._report = send, report
        self._every, self._poll = every, poll
        self.waiting: BoundedDict[str, InboxEntry] = BoundedDict(MAX_WAITING)
        self.failures, self._not_before = 0, float("-inf")

    def run(self, now: float, *, is_last: bool = False) -> float:
        """Look for new entries, send what may be sent now, and return the seconds until the next round.

        Args:
            now: seconds of a clock that never goes back.
            is_last: send at once what waits: there is no later round.
        """
        snapshot = self._policies.snapshot()
        for entry in self._news.take(self._inbox.entries(snapshot), snapshot["at"]):
            self.waiting[entry.id] = entry
        if self.waiting and (is_last or now >= self._not_before):
            self._not_before = now + self._deliver()
        return max(0.0, min(self._poll, self._not_before - now)) if self.waiting else self._poll

    def reset_after_fork(self, forked_at: float) -> None:
        """Leave to the parent what had begun before this process was forked, in Unix seconds."""
        self.waiting.clear()
        self._news.leave_to_parent(forked_at)

    def report_error(self, error: Exception) -> None:
        """Report an error of this process that keeps alerts from being sent, once until one is sent."""
        if self.failures == 0:
            self._report(Delivery(False, caused_by=type(error).__name__))
        self.failures += 1

    def _deliver(self) -> float:
        """Send one message and return the seconds for which no other may follow."""
        entries = sorted(self.waiting.values(), key=lambda entry: KINDS.index(entry.kind))
        delivery = self._send(entries)
        if delivery.delivered:
            self.failures = 0
            self.waiting.clear()
            return self._every
        if self.failures == 0:
            self._report(delivery)
        self.failures += 1
        if not delivery.retryable:
            self.waiting.clear()  # the webhook would refuse the same message again
            return max(self._every, MAX_DELAY)
        delay = min(MAX_DELAY, FIRST_DELAY * 2.0 ** min(self.failures - 1, 10))
        return max(self._every, delay, delivery.retry_after or 0.0)
