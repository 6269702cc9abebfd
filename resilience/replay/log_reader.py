"""Groups the lines of a log into the calls that wrote them. Lines of other programs are counted and skipped.

A line is JSON: of structlog, or of a formatter for `logging` that writes the fields of a record, at the top or below
`extra`. Logs of version 0.1 are read too: their fields `took` and `safety`, and their event `retry_scheduled`. Events
that name no attempt and no outcome of a call (`fallback_used`, `hedge_started`, their names in 0.1) change no replay.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .error_stand_ins import stand_in_for
from .log_fields import read_count, read_duration, read_retry_safety, read_seconds, read_text, read_time
from .recorded_calls import Log, RecordedAttempt, RecordedCall

__all__ = ["parse_event", "read_log"]

_EVENT_FIELDS = ("event", "message", "msg")  # where structlog programs write the event's name
_MAX_LINE = 1_000_000  # characters
_MAX_ATTEMPTS = 1000  # per call
_MAX_DEPTH = 2
_FIELDS_BELOW = ("extra", "record", "fields", "context")  # where formatters put the fields of a record
_OUTCOMES = {
    "write_unknown": "failed",
    "call_recovered": "recovered",
    "call_failed": "failed",
    "call_reconciled": "reconciled",
    "call_abandoned": "abandoned",
    "call_rejected": "refused",
}


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
    return _find_event(line, 0)


def _find_event(line: Any, depth: int) -> dict[str, Any] | None:
    """Return the fields of an event in a mapping, or in one below it."""
    if not isinstance(line, dict):
        return None
    for name in _EVENT_FIELDS:
        event = line.get(name)
        if isinstance(event, str) and event.startswith("resilience."):
            return {**line, "event": event.removeprefix("resilience.")}
    below = (_find_event(line.get(name), depth + 1) for name in _FIELDS_BELOW if depth < _MAX_DEPTH)
    event_below = next((event for event in below if event is not None), None)
    return None if event_below is None else {**line, **event_below}


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
    # Python's sort is stable: calls of the same instant keep the order of their lines.
    log.calls.sort(key=lambda call: call.began)
    return log


def _begins_call(event: str, call: RecordedCall | None, line: Mapping[str, Any], name: str | None) -> bool:
    if event == "attempt_failed":
        return call is None or _is_next_call(call, line, name)
    return event == "call_rejected"


def _add_line(log: Log, open_calls: dict[Any, RecordedCall], line: Mapping[str, Any], at: float) -> None:
    """Add a line to the call that wrote it."""
    event, operation = line["event"], read_text(line, "operation")
    if operation is None:
        return  # events of breakers and reloads belong to no call
    name = read_text(line, "call")
    # Without an identifier of the call, policy, operation and key must tell calls apart.
    key: Any = name or (read_text(line, "policy"), operation, read_text(line, "key"))
    call = open_calls.get(key)
    if _begins_call(event, call, line, name):
        call = open_calls[key] = _open_call(log, line, at, name)
    if call is None:  # the log begins in the middle of this call, or its level hides the attempts
        log.without_attempts += event in ("call_failed", "write_unknown", "call_recovered")
        return
    _add_event(call, event, line, at)
    if event in _OUTCOMES:
        # Later lines of a finished call, such as its fallback, belong to no open call.
        open_calls.pop(key, None)


def _add_event(call: RecordedCall, event: str, line: Mapping[str, Any], at: float) -> None:
    call.last = {**call.last, **line}
    if event == "attempt_failed" and len(call.attempts) < _MAX_ATTEMPTS:
        call.attempts.append(_read_attempt(line, at))
    if event == "retry_scheduled" or (event == "attempt_failed" and "wait_for" in line):
        number = read_count(line, "attempt") or len(call.attempts)  # a line of its own in 0.1, today a field
        call.waits[number] = read_seconds(line, "wait_for") or 0.0
    if event in _OUTCOMES:
        call.outcome, call.settled_at = _OUTCOMES[event], at


def _is_next_call(call: RecordedCall, line: Mapping[str, Any], name: str | None) -> bool:
    """Return whether a first attempt begins the next call, for lines without the call's identifier."""
    return name is None and read_count(line, "attempt") == 1 and bool(call.attempts)


def _open_call(log: Log, line: Mapping[str, Any], at: float, name: str | None) -> RecordedCall:
    # A rejected call has one line, so that nothing had to be guessed.
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
        "url": f"{read_text(line, 'host') or ''}{read_text(line, 'path') or ''}",
    }
    return RecordedAttempt(
        read_duration(line),
        at,
        read_text(line, "category"),
        code,
        registry,
        lambda: stand_in_for(**known),  # type: ignore[arg-type]  # each value has its own type
    )
