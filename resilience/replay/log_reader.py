"""Groups the lines of a log into the calls that wrote them. Lines of other programs are counted and skipped.

Logs of version 0.1 are read too: their fields `took` and `safety`, and their event `retry_scheduled`. Events that name
no attempt and no outcome of a call (`fallback_used`, `hedge_started`, and their names in 0.1) change no replay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .error_stand_ins import stand_in_for
from .log_fields import read_count, read_duration, read_retry_safety, read_seconds, read_text, read_time

__all__ = ["Log", "RecordedAttempt", "RecordedCall", "parse_event", "read_log"]

_EVENT_FIELDS = ("event", "message", "msg")  # where structlog programs write the event's name
_MAX_LINE = 1_000_000  # characters
_MAX_ATTEMPTS = 1000  # per call
_OUTCOMES = {
    "call_recovered": "recovered",
    "call_failed": "failed",
    "call_reconciled": "reconciled",
    "call_abandoned": "abandoned",
    "call_rejected": "refused",
}


@dataclass(slots=True)
class RecordedAttempt:
    """One failed attempt of a recorded call.

    Attributes:
        duration: seconds from the send to the failure.
        at: when it failed, Unix seconds.
        category: the category at that time: retryable, fatal or user_fixable.
        code: the API's code.
        registry: the code table that knew the code; None if no table did.
        error: makes an exception that a classifier sorts like the original one.
    """

    duration: float
    at: float
    category: str | None
    code: str | None
    registry: str | None
    error: Callable[[], Exception]


@dataclass(slots=True)
class RecordedCall:
    """One call that wrote at least one line.

    Attributes:
        name: the call's identifier in the log, or a number such as `#3` if its lines have none.
        policy: name of its policy.
        operation: name of the operation.
        retry_safety: `read`, `idempotent`, `reconciled` or `write`.
        began: when it began, Unix seconds.
        attempts: the failed attempts.
        waits: seconds waited after each attempt, by the attempt's number.
        outcome: `recovered`, `failed`, `reconciled`, `abandoned`, `refused`, or `unfinished` if the log ends before it.
        settled_at: when it ended, Unix seconds.
        last: the fields of its lines, where a later line overrides an earlier one.
    """

    name: str
    policy: str
    operation: str
    retry_safety: str
    began: float
    attempts: list[RecordedAttempt] = field(default_factory=list)
    waits: dict[int, float] = field(default_factory=dict)
    outcome: str = "unfinished"
    settled_at: float = 0.0
    last: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total_attempts(self) -> int:
        """How many attempts were made, including a successful last one."""
        return len(self.attempts) + (self.outcome == "recovered")

    @property
    def waited(self) -> float:
        """Seconds waited between attempts, including waits for lookups."""
        return read_seconds(self.last, "waited_so_far") or sum(self.waits.values())


@dataclass(slots=True)
class Log:
    """The calls of a log and the number of lines of each kind.

    Attributes:
        calls: the calls, in the order in which they began.
        lines: lines read, empty ones not counted.
        events: lines that this library wrote.
        foreign: JSON lines of other programs.
        broken: lines that are not JSON.
        guessed: calls without an identifier, which were told apart by policy, operation and key.
    """

    calls: list[RecordedCall] = field(default_factory=list)
    lines: int = 0
    events: int = 0
    foreign: int = 0
    broken: int = 0
    guessed: int = 0


def parse_event(text: str) -> dict[str, Any] | None:
    """Return a line's fields, with the event's name without `resilience.` under `event`.

    Returns None for JSON that this library did not write.

    Raises:
        ValueError: the line is not JSON.
    """
    try:
        line = json.loads(text[:_MAX_LINE])
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(line, dict):
        return None
    for name in _EVENT_FIELDS:
        event = line.get(name)
        if isinstance(event, str) and event.startswith("resilience."):
            return {**line, "event": event.removeprefix("resilience.")}
    return None


def read_log(lines: Iterable[str]) -> Log:
    """Read a log. It never raises, whatever a line holds."""
    log, clock = Log(), 0.0
    open_calls: dict[Any, RecordedCall] = {}
    for text in lines:
        if not text.strip():
            continue
        log.lines += 1
        try:
            line = parse_event(text)
        except ValueError:
            log.broken += 1
            continue
        if line is None:
            log.foreign += 1
            continue
        log.events += 1
        clock = read_time(line, clock)
        _add_line(log, open_calls, line, clock)
    log.calls.sort(key=lambda call: call.began)
    return log


def _add_line(log: Log, open_calls: dict[Any, RecordedCall], line: Mapping[str, Any], at: float) -> None:
    """Add a line to the call that wrote it."""
    event, operation = line["event"], read_text(line, "operation")
    if operation is None:
        return  # events of breakers and reloads belong to no call
    name = read_text(line, "call")
    key: Any = name or (read_text(line, "policy"), operation, read_text(line, "key"))
    call = open_calls.get(key)
    if event == "call_rejected" or (event == "attempt_failed" and (call is None or _is_next_call(call, line, name))):
        call = open_calls[key] = _open_call(log, line, at, name)
    if call is None:
        return  # the log begins in the middle of this call
    call.last = {**call.last, **line}
    if event == "attempt_failed" and len(call.attempts) < _MAX_ATTEMPTS:
        call.attempts.append(_read_attempt(line, at))
    if event == "retry_scheduled" or (event == "attempt_failed" and "wait_for" in line):
        number = read_count(line, "attempt") or len(call.attempts)  # a line of its own in 0.1, today a field
        call.waits[number] = read_seconds(line, "wait_for") or 0.0
    if event in _OUTCOMES:
        call.outcome, call.settled_at = _OUTCOMES[event], at
        open_calls.pop(key, None)


def _is_next_call(call: RecordedCall, line: Mapping[str, Any], name: str | None) -> bool:
    """Return whether a first attempt begins the next call, for lines without the call's identifier."""
    return name is None and read_count(line, "attempt") == 1 and bool(call.attempts)


def _open_call(log: Log, line: Mapping[str, Any], at: float, name: str | None) -> RecordedCall:
    log.guessed += name is None and line["event"] != "call_rejected"
    call = RecordedCall(
        name or f"#{len(log.calls) + 1}",
        read_text(line, "policy") or "default",
        read_text(line, "operation") or "",
        read_retry_safety(line),
        at - read_duration(line),
    )
    log.calls.append(call)
    return call


def _read_attempt(line: Mapping[str, Any], at: float) -> RecordedAttempt:
    code, registry = read_text(line, "code"), read_text(line, "registry")
    known = {
        "kind": read_text(line, "caused_by"),
        "code": code,
        "status": read_count(line, "http_status"),
        "registry": registry,
        "executed": read_text(line, "executed"),
        "retry_after": read_seconds(line, "retry_after"),
    }
    return RecordedAttempt(
        read_duration(line),
        at,
        read_text(line, "category"),
        code,
        registry,
        lambda: stand_in_for(**known),  # type: ignore[arg-type]  # each value has its own type
    )
