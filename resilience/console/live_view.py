"""Collects what the page of the console shows: once a second from a snapshot, and in between from the events.

What is kept is bounded: ten minutes of each row, a hundred decisions, the inbox. It is kept from the
moment on at which the console starts, so that a page that is opened later shows it too. An event costs the bot's thread
an `append` and what the inbox does; sentences, rows and JSON are made in the thread of the console.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from .._core.base.event import Event
from ..telemetry.inbox import Inbox
from .call_rates import CallRates
from .decision_feed import DecisionFeed
from .decision_sentences import sentence_of
from .inbox_cards import inbox_cards
from .live_rows import live_rows
from .plain_words import count_of
from .row_history import INTERVAL, RowHistory
from .served_policies import ServedPolicies, json_text

__all__ = ["LiveView"]

_IGNORED = frozenset({"cache_hit", "call_rejected", "call_succeeded", "hedge_started", "quota_waited"})
_MAX_ATTEMPTS, _MAX_EVENTS = 40, 200
"""Events that wait for the next second: failed attempts, which are many and say little, and those of all kinds."""
_MAX_ROWS = 300  # that are sent, those in trouble first: as many as have a history


class LiveView:
    """The state that the page shows. `take` is called by the bot's threads, everything else by one thread."""

    def __init__(self, policies: ServedPolicies) -> None:
        """Begin with nothing; `start` subscribes."""
        self._policies = policies
        self._events: deque[Event] = deque()
        self._dropped = self._failed_attempts = 0
        self._rates, self._feed = CallRates(), DecisionFeed()
        self._inbox, self._history = Inbox(), RowHistory()
        self._trend: deque[tuple[float, float | None]] = deque(maxlen=120)
        self._point_due = float("-inf")
        self._latest: dict[str, Any] = {}
        self._unsubscribe: tuple[Callable[[], None], ...] = ()

    def start(self) -> None:
        """Listen to the policies' events."""
        self._unsubscribe = self._policies.subscribe(self), self._policies.subscribe(self._inbox)

    def stop(self) -> None:
        """Listen no more."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = ()

    def wants_event(self, name: str, _fields: Mapping[str, Any]) -> bool:
        """Return whether an event is needed: one that nobody wants is not made."""
        return name not in _IGNORED

    def __call__(self, event: Event) -> None:
        """Take an event, in the thread in which it happened."""
        name = event.name
        if name == "attempt_failed":
            self._failed_attempts += not event.inner  # two threads may lose one: it is for a rate
            if len(self._events) >= _MAX_ATTEMPTS:
                return
        if name in _IGNORED or event.level == "debug":
            return
        if len(self._events) < _MAX_EVENTS:
            self._events.append(event)
        else:
            self._dropped += 1

    def tick(self, now: float) -> str:
        """Take a snapshot and return what has changed, as JSON.

        Args:
            now: monotonic seconds.
        """
        self._take_events()
        snapshot = self._policies.snapshot()
        rows = live_rows(snapshot)
        self._rates.failed_attempts = self._failed_attempts
        lately = self._rates.sample(snapshot, now)
        is_point = now >= self._point_due
        if is_point:
            self._point_due = now + INTERVAL
            self._history.add(rows)
            self._trend.append((round(lately["rate"], 2), lately["success"]))
        self._latest = {
            "at": snapshot["at"],
            "healthy": snapshot["healthy"],
            "policies": [{"name": row["name"], "isolated": row["isolated"]} for row in snapshot["policies"]],
            "needs": inbox_cards(self._inbox.entries(snapshot), snapshot),
            "rows": [row._asdict() for row in rows[:_MAX_ROWS]],
            "rows_left": max(0, len(rows) - _MAX_ROWS),
            "rejecting": sum(row.kind == "breaker" and row.level == "bad" for row in rows),
            "lately": lately,
            "point": is_point,
        }
        return json_text({**self._latest, "feed": self._feed.take_changed()})

    def whole(self) -> str:
        """Return everything that a page needs which has just been opened, as JSON; after the first tick."""
        # Pairs, because a row is named by what a program or an API chose: keys of an object are not redacted.
        points = list(self._history.points().items())
        history = {"points": points, "trend": list(self._trend), "every": INTERVAL}
        return json_text({**self._latest, "point": False, "history": history, "feed": self._feed.entries()})

    def _take_events(self) -> None:
        for _ in range(len(self._events)):
            event = self._events.popleft()
            sentence = sentence_of(event.name, event.fields())
            if sentence is not None:
                self._feed.add(sentence, event.level, event.at or 0.0)
        dropped, self._dropped = self._dropped, 0
        if dropped:
            at = self._latest.get("at", 0.0)
            self._feed.add(f"{count_of(dropped, 'further decision')} in one second, which are not shown.", "info", at)
