"""Delivers events to listeners: one frozen record each, after every lock is released.

`Events.emit` is the only place that makes an `Event`, so a new field of every event is an edit of this file alone.
A listener that raises is dropped at once and never changes an outcome. One that is slow delays the call that emits the
event, and is reported once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from inspect import iscoroutinefunction
from itertools import count
from typing import Any

from .deprecation import warn_safely

__all__ = ["EVENTS", "SLOW", "Event", "Events", "Listener", "is_power_of_ten", "level_of"]

SLOW = 0.1
"""Seconds for one event after which a listener is reported as slow: the call, or its whole event loop, has waited."""

_LEVELS = {
    "attempt_failed": "info",
    "breaker_store_failed": "warning",
    "budget_exhausted": "warning",
    "cache_hit": "debug",
    "call_abandoned": "warning",
    "call_failed": "warning",
    "call_reconciled": "info",
    "call_recovered": "info",
    "call_rejected": "debug",
    "call_succeeded": "debug",
    "circuit_closed": "warning",
    "circuit_half_opened": "info",
    "circuit_isolated": "warning",
    "circuit_opened": "warning",
    "circuit_released": "warning",
    "code_unknown": "warning",
    "fallback_used": "info",
    "hedge_started": "debug",
    "hold_ended": "info",
    "hold_started": "warning",
    "lookup_failed": "error",
    "policy_rejected": "error",
    "policy_reloaded": "info",
    "quota_waited": "debug",
    "retries_exhausted": "debug",
    "shared_back": "info",
    "shared_lost": "warning",
    "write_adopted": "warning",
    "write_unknown": "error",
}
EVENTS = tuple(sorted(_LEVELS))
"""Every event's name."""
_NEWS = ("code_unknown",)
"""What is written at the default level even where the call ended well."""


def level_of(name: str, fields: Mapping[str, Any]) -> str:
    """Return the level of an event's log line: that of its name, but for what these fields make of it.

    What an inner call has reported already is of level debug. A failed call of a lookup is news only where a person
    can help: "no such order" is an answer, what may pass is asked again, and the write's own line says how it ended. A
    hold that is longer than `hold_max` is an error. A call that ended well is a warning where its line stands for a
    code that no table has, and so is the tenth, the hundredth, ... failure of a stream in a row, which has no last
    attempt that would end it.
    """
    if fields.get("inner"):
        return "debug"
    level = _LEVELS[name]
    if fields.get("hold_max") is not None:
        return "error"
    if name == "call_failed" and fields.get("lookup") and fields.get("category") != "user_fixable":
        return "info"
    is_news = any(other in _NEWS for other in fields.get("also") or ())
    if level in ("debug", "info") and (is_news or _is_long_outage(name, fields)):
        return "warning"
    return level


def _is_long_outage(name: str, fields: Mapping[str, Any]) -> bool:
    attempt = fields.get("attempt") or 0
    return name == "attempt_failed" and bool(fields.get("socket")) and attempt > 1 and is_power_of_ten(attempt)


def is_power_of_ten(number: int) -> bool:
    """Return whether a number is 1, 10, 100 and so on."""
    return str(number).strip("0") == "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. A field that does not apply is None.

    Attributes:
        name: one of `EVENTS`.
        policy: name of the policy.
        operation: name of the operation.
        attempt: number of the attempt, from 1.
        attempts: how many attempts the call has made, in the events that end it.
        category: what helps: `retryable`, `fatal` or `user_fixable`.
        code: the API's code.
        http_status: status of the answer.
        executed: whether the call may have taken effect: `no`, `maybe` or `n_a`.
        key: the idempotency key.
        wait_for: seconds until the next attempt, where one follows; in `quota_waited` the seconds waited.
        waited_so_far: seconds that this call has waited so far.
        retry_after: seconds the server asked for.
        remedy: what a human can do.
        caused_by: class of the error, such as `requests.ReadTimeout`; never its text.
        breaker: in circuit events, what the circuit breaker guards: a host, or the policy's name.
        at: when it was emitted, Unix seconds by the pipeline's clock.
        call: an identifier shared by the events of one failed call.
        duration: seconds that the failed attempt took.
        registry: name of the table in which the code was found.
        retry_safety: why the call may be sent again or not: `read`, `idempotent`, `reconciled` (a write that is
            looked up) or `write`.
        shadow: True where that breaker only measures and rejects nothing.
        reconciler: in `lookup_failed`, the name of the function that looks writes up.
        source: the policy file of a reload; in `shared_lost` and `shared_back` the store, without credentials.
        changes: what a reload changed, each `{path, before, after}`.
        problems: why a reload was rejected, each `{file, line, column, path, message}`.
        scope: what a hold concerns: `host` for all operations of a host and account, or `operation`.
        host: the host that the request goes to, or that a hold concerns, where it is known.
        path: the template of the request's path, where it is known: without ids and query, such as `/orders/*`.
        until: when a hold ends, Unix seconds.
        reason: in `call_rejected` what rejected it (see `RejectedError.reason`); in `hold_started` why it is held,
            `ban` or `retry_after`; in `hold_ended` how it ended, `over` or `released`; in `circuit_isolated` and
            `circuit_released` the words of whoever did it; in `shared_lost` why the store cannot be used.
        hold_max: in `hold_started` the setting of that name, where the hold is longer. It is an error then.
        refused: in `circuit_closed` and `circuit_released`, how many calls were rejected meanwhile.
        by: in `circuit_isolated` and `circuit_released`, who isolated it: `hand`, `policy` for its settings,
            `environment`, or `fleet` for a hand in another process; in `hold_started` and `hold_ended` `fleet` where
            another process has got the answer, or has released the hold.
        also: in the events that end a call, further events of the call that share one log line with its end:
            `code_unknown`, `budget_exhausted`, `retries_exhausted`, `write_unknown`.
        inner: True in the events of an outer call whose failure a call inside it has reported already.
        lookup: True in the events of a call that a lookup of a write in doubt has made.
        socket: in events of a stream, the name of its socket, such as `public`.
        owner: in `write_adopted`, the process that had the write before, as `MACHINE:PROCESS:…`.
    """

    name: str
    policy: str | None = None
    operation: str | None = None
    attempt: int | None = None
    attempts: int | None = None
    category: str | None = None
    code: str | None = None
    http_status: int | None = None
    executed: str | None = None
    key: str | None = None
    wait_for: float | None = None
    waited_so_far: float | None = None
    retry_after: float | None = None
    remedy: str | None = None
    caused_by: str | None = None
    breaker: str | None = None
    shadow: bool | None = None
    at: float | None = None
    call: str | None = None
    duration: float | None = None
    registry: str | None = None
    retry_safety: str | None = None
    reconciler: str | None = None
    source: str | None = None
    changes: tuple[Mapping[str, Any], ...] | None = None
    problems: tuple[Mapping[str, Any], ...] | None = None
    scope: str | None = None
    host: str | None = None
    path: str | None = None
    until: float | None = None
    reason: str | None = None
    hold_max: float | None = None
    refused: int | None = None
    by: str | None = None
    also: tuple[str, ...] | None = None
    inner: bool | None = None
    lookup: bool | None = None
    socket: str | None = None
    owner: str | None = None

    @property
    def level(self) -> str:
        """`error`, `warning`, `info` or `debug`: a failed call is a warning, a write of uncertain outcome an error."""
        names = ("inner", "lookup", "category", "hold_max", "also", "socket", "attempt")
        return level_of(self.name, {name: getattr(self, name) for name in names})

    @property
    def took(self) -> float | None:
        """The name that `duration` had in 0.1. Deprecated."""
        warn_safely("Event.took is deprecated: use .duration")  # an error would drop the listener
        return self.duration

    @property
    def safety(self) -> str | None:
        """The name that `retry_safety` had in 0.1. Deprecated."""
        warn_safely("Event.safety is deprecated: use .retry_safety")
        return self.retry_safety

    def fields(self) -> dict[str, Any]:
        """Return the fields that are set, without the name."""
        values = ((name, getattr(self, name)) for name in _FIELDS)
        return {name: value for name, value in values if value is not None and value != ""}


_FIELDS = tuple(field.name for field in fields(Event) if field.name != "name")
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
        return any(_wants(listener, name, fields) for listener in self.listeners)

    def emit(self, name: str, **fields: Any) -> None:
        """Make an event and deliver it to every listener; one that raises is reported once and dropped."""
        if not self.listeners or not self.wants(name, fields):
            return  # nobody listens: no event is made
        self.deliver(name, fields)

    def emit_success(self, fields: Mapping[str, Any]) -> None:
        """Deliver a call that ended well to those who listen to that."""
        if self.successes:
            self._deliver_to(self.successes, "call_succeeded", fields)

    def deliver(self, name: str, fields: Mapping[str, Any]) -> None:
        """Deliver an event that a listener wants; see `wants`."""
        self._deliver_to(self.listeners, name, fields)

    def _deliver_to(self, listeners: tuple[Listener, ...], name: str, fields: Mapping[str, Any]) -> None:
        event = Event(name=name, at=None if self._now is None else self._now(), **fields)
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


def _wants(listener: Listener, name: str, fields: Mapping[str, Any]) -> bool:
    wants_event = getattr(listener, "wants_event", None)
    try:
        return wants_event is None or bool(wants_event(name, fields))
    except Exception:
        return True  # it raises again when it gets the event, and is reported and dropped then
