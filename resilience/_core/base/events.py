"""Delivers events to listeners: one frozen record each, after every lock is released.

`Events.emit` is the only place that makes an `Event`. A listener that raises is dropped at once and never changes an
outcome. One that is slow delays the call that emits the event, and is reported once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from itertools import count
from typing import Any

from .event import Event

__all__ = ["SLOW", "Events", "Listener"]

SLOW = 0.1
"""Seconds for one event after which a listener is reported as slow: the call, or its whole event loop, has waited."""

Listener = Callable[[Event], None]
"""Receives each event, in the thread or task where it happened."""


class Events:
    """The listeners of one set of policies. Safe across threads: the tuple is replaced and never changed.

    Attributes:
        listeners: functions of one event, in the order in which they subscribed.
        successes: those of them that get each call that ended well too.
        run_id: distinguishes the calls of this process from those of another.
    """

    __slots__ = ("_monotonic", "_next", "_now", "_on_dropped", "_on_slow", "_slow", "listeners", "run_id", "successes")

    def __init__(
        self,
        *listeners: Listener,
        now: Callable[[], float] | None = None,
        on_dropped: Callable[[Listener, Exception], None] | None = None,
        on_slow: Callable[[Listener, float], object] | None = None,
        monotonic: Callable[[], float] | None = None,
        run_id: str = "",
    ) -> None:
        """Deliver events to these listeners.

        Args:
            listeners: functions of one event.
            now: returns Unix seconds, the time of an event; None leaves events without a time.
            on_dropped: called with a listener that raised, and its error.
            on_slow: called once with a listener that took longer than `SLOW` seconds for an event, and its time; once
                more where it returns False.
            monotonic: returns seconds that never go back; None measures no listener.
            run_id: distinguishes the calls of this process from those of another.
        """
        self._on_slow, self._monotonic = on_slow, monotonic
        self._slow: tuple[Listener, ...] = ()
        self.listeners: tuple[Listener, ...] = listeners
        self.successes: tuple[Listener, ...] = ()
        self._now = now
        self._on_dropped = on_dropped
        self.run_id = run_id
        self._next = count(1).__next__  # atomic: no two calls get one number

    def new_call_id(self) -> str:
        """Return an identifier for a failed call."""
        return f"{self.run_id}{self._next()}"

    def subscribe(self, listener: Listener, *, successes: bool = False) -> Callable[[], None]:
        """Add a listener; returns a function that removes it.

        Args:
            listener: a function of one event.
            successes: whether it gets `call_succeeded` too.

        Raises:
            TypeError: the listener cannot be called, or it is async, and nothing would await it.
        """
        if not callable(listener) or iscoroutinefunction(listener):
            raise TypeError(f"a listener is a plain function of one event, not {listener!r}")
        self.listeners = (*self.listeners, listener)
        if successes:
            self.successes = (*self.successes, listener)
        return lambda: self._remove(listener)

    def _remove(self, listener: Listener) -> None:
        self.listeners = tuple(other for other in self.listeners if other is not listener)
        self.successes = tuple(other for other in self.successes if other is not listener)
        self._slow = tuple(other for other in self._slow if other is not listener)

    def wants(self, name: str, fields: Mapping[str, Any]) -> bool:
        """Return whether some listener wants an event, by its name and the fields that are known so far.

        A listener says so by a method `wants_event(name, fields)`, as the log does, whose level may filter the event.
        One without that method wants every event.
        """
        for listener in self.listeners:
            wants_event = getattr(listener, "wants_event", None)
            try:
                if wants_event is None or wants_event(name, fields):
                    return True
            except Exception:
                return True  # it raises again when it gets the event, and is reported and dropped then
        return False

    def emit(self, name: str, **fields: Any) -> None:
        """Make an event and deliver it to every listener; one that raises is reported once and dropped."""
        if not self.listeners or not self.wants(name, fields):
            return  # nobody listens: no event is made
        self.deliver(name, fields)

    def emit_success(self, fields: dict[str, Any]) -> None:
        """Deliver a call that ended well to those who listen to that; see `deliver`."""
        if self.successes:
            self._deliver_to(self.successes, "call_succeeded", fields)

    def deliver(self, name: str, fields: dict[str, Any]) -> None:
        """Deliver an event that a listener wants; see `wants`. The fields become the event's own."""
        self._deliver_to(self.listeners, name, fields)

    def _deliver_to(self, listeners: tuple[Listener, ...], name: str, fields: dict[str, Any]) -> None:
        fields["name"] = name
        if self._now is not None and "at" not in fields:
            fields["at"] = self._now()
        event = Event.of(fields)
        # The tuple of this moment: a listener that unsubscribes another one changes the next event alone.
        for listener in listeners:
            begin = None if self._monotonic is None else self._monotonic()
            try:
                listener(event)
                if begin is not None:
                    self._report_slow(listener, begin)
            except Exception as error:
                self._remove(listener)
                self.report_dropped(listener, error)

    def _report_slow(self, listener: Listener, begin: float) -> None:
        """Report a listener that has taken long for an event, the first time only."""
        assert self._monotonic is not None
        took = self._monotonic() - begin
        if took <= SLOW or any(other is listener for other in self._slow):
            return
        self._slow, before = (*self._slow, listener), self._slow
        try:
            if self._on_slow is not None and self._on_slow(listener, took) is False:
                self._slow = before
        except Exception:
            pass  # the log itself may fail, which is no reason to drop the listener

    def report_dropped(self, listener: Any, error: Exception) -> None:
        """Report a listener that raised and was removed."""
        try:
            if self._on_dropped is not None:
                self._on_dropped(listener, error)
        except Exception:
            pass  # the log itself may be the listener that failed
