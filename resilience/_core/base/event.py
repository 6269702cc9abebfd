"""Defines the record of one thing that happened, with its fields and the level of its log line.

A new event is a name with its level here; a new field is one of the class `Event`, with its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .deprecation import warn_safely

__all__ = ["EVENTS", "Event", "is_power_of_ten", "level_of"]

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
    "write_settled": "warning",
    "write_unknown": "error",
}
EVENTS = tuple(sorted(_LEVELS))
"""Every event's name."""
_NEWS = frozenset({"code_unknown"})
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
    if level in ("debug", "info") and (not _NEWS.isdisjoint(fields.get("also") or ()) or _is_long_outage(name, fields)):
        return "warning"
    return level


def _is_long_outage(name: str, fields: Mapping[str, Any]) -> bool:
    if name != "attempt_failed" or not fields.get("socket"):
        return False
    attempt = fields.get("attempt") or 0
    return attempt > 1 and is_power_of_ten(attempt)


def is_power_of_ten(number: int) -> bool:
    """Return whether a number is 1, 10, 100 and so on."""
    return str(number).strip("0") == "1"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened. A field that does not apply is None. Without slots, so that `of` makes it at once.

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
            `circuit_released`, and in `circuit_closed` where it was closed by hand, the words of whoever did it; in
            `write_settled` what the lookup showed, `found` or `not found`; in `shared_lost` why the store cannot be
            used.
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

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Event:
        """Return the event with these fields, its name among them; in a tenth of the time that the class takes.

        The others are the defaults of the class. The mapping becomes the event's own.

        Raises:
            TypeError: there is no field of a name.
        """
        if not fields.keys() <= _KNOWN:
            raise TypeError(f"an event has no field {', '.join(sorted(fields.keys() - _KNOWN))}")
        event = object.__new__(cls)
        object.__setattr__(event, "__dict__", fields)
        return event

    @property
    def level(self) -> str:
        """`error`, `warning`, `info` or `debug`: a failed call is a warning, a write of uncertain outcome an error."""
        return level_of(self.name, self.__dict__)

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
        own = self.__dict__
        return {name: own[name] for name in _FIELDS if name in own and own[name] is not None and own[name] != ""}


_FIELDS = tuple(field.name for field in fields(Event) if field.name != "name")
_KNOWN = frozenset(("name", *_FIELDS))
