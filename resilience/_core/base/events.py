"""What a pipeline tells: one frozen record an event, sent after every lock is released.

A listener that raises is dropped at once and never changes an outcome (law 16).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from inspect import iscoroutinefunction
from itertools import count
from typing import Any

__all__ = ["EVENTS", "Event", "Events", "Listener"]

_LEVELS = {
    "attempt_failed": "warning",
    "budget_exhausted": "warning",
    "call_abandoned": "warning",
    "call_failed": "error",
    "call_fell_back": "warning",
    "call_hedged": "info",
    "call_reconciled": "info",
    "call_recovered": "info",
    "call_rejected": "warning",
    "circuit_closed": "info",
    "circuit_half_opened": "info",
    "circuit_opened": "warning",
    "code_unknown": "warning",
    "policy_rejected": "error",
    "policy_reloaded": "info",
    "quota_waited": "info",
    "retries_exhausted": "warning",
    "retry_scheduled": "warning",
}
EVENTS = tuple(sorted(_LEVELS))
"""Every event's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. Fields that do not apply are None.

    Attributes:
        name: one of `EVENTS`.
        policy: name of the policy.
        operation: name of the operation.
        attempt: number of the attempt, from 1.
        category: what helps: retryable, fatal or user_fixable.
        code: the API's code.
        http_status: status of the answer.
        executed: whether the call may have taken effect.
        key: the idempotency key.
        wait_for: seconds until the next attempt or look.
        waited_so_far: seconds this call has waited already.
        retry_after: seconds the server asked for.
        remedy: what a human can do.
        caused_by: class of the error, such as `requests.ReadTimeout`; never its text.
        breaker: what the circuit breaker of a circuit event guards: a host, or the policy's name.
        at: when it was told, Unix seconds by the pipeline's clock.
        call: what tells the events of one failed call from those of others.
        took: seconds that the failed attempt took.
        registry: the table in which the code was found.
        retry_safety: why the call may be sent again or not: `read`, `idempotent`, `reconciled` (a write that is looked up)
            or `write`.
        shadow: True where that breaker only measures, and refuses nothing.
        source: the policy file of a reload.
        changes: what a reload changed, each `{path, before, after}`.
        problems: why a reload was refused, each `{file, line, column, path, message}`.
    """

    name: str
    policy: str | None = None
    operation: str | None = None
    attempt: int | None = None
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
    took: float | None = None
    registry: str | None = None
    retry_safety: str | None = None
    source: str | None = None
    changes: tuple[Mapping[str, Any], ...] | None = None
    problems: tuple[Mapping[str, Any], ...] | None = None

    @property
    def level(self) -> str:
        """`error` for a call's final failure, `warning` for earlier ones, `info` for recoveries."""
        return _LEVELS[self.name]

    def fields(self) -> dict[str, Any]:
        """Return the fields that say something, the name left out."""
        values = ((f.name, getattr(self, f.name)) for f in fields(self) if f.name != "name")
        return {name: value for name, value in values if value is not None and value != ""}


Listener = Callable[[Event], None]
"""Receives each event; called in the thread or task where it happened."""


class Events:
    """The listeners of one set of policies. Safe across threads: the tuple is replaced, never changed."""

    __slots__ = ("_next", "_on_dropped", "listeners", "run")

    def __init__(
        self, *listeners: Listener, on_dropped: Callable[[Listener, Exception], None] | None = None, run: str = ""
    ) -> None:
        """Tell these listeners; `run` tells the calls of this process from those of another."""
        self.listeners: tuple[Listener, ...] = listeners
        self._on_dropped = on_dropped
        self.run = run
        self._next = count(1).__next__

    def new_call(self) -> str:
        """Return a name for a failed call."""
        return f"{self.run}{self._next()}"

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; the function returned takes it away again.

        Raises:
            TypeError: it cannot be called, or it is async: nobody would await it.
        """
        if not callable(listener) or iscoroutinefunction(listener):
            raise TypeError(f"a listener is a plain function of one event, not {listener!r}")
        self.listeners = (*self.listeners, listener)
        return lambda: self._remove(listener)

    def _remove(self, listener: Listener) -> None:
        self.listeners = tuple(one for one in self.listeners if one is not listener)

    def emit(self, event: Event) -> None:
        """Tell every listener; one that raises is reported once and dropped."""
        for listener in self.listeners:
            try:
                listener(event)
            except Exception as error:
                self._remove(listener)
                self.dropped(listener, error)

    def dropped(self, listener: Any, error: Exception) -> None:
        """Report a listener that raised and hears nothing any more."""
        try:
            if self._on_dropped is not None:
                self._on_dropped(listener, error)
        except Exception:
            pass  # the log was the listener that failed
