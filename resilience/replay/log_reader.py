"""Lines of a log → the calls that they tell of. Whatever is no line of ours is counted and left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .error_stand_ins import likeness

__all__ = ["Attempt", "Log", "Recorded", "event_of", "read_log"]

_NAMES = ("event", "message", "msg")  # under which structlog programs write the event's name
_TIMES = ("at", "timestamp", "time", "ts")
_LONGEST = 1_000_000  # characters of a line
_MOST_ATTEMPTS = 1000
_ENDS = {
    "call_recovered": "recovered",
    "call_failed": "failed",
    "call_reconciled": "reconciled",
    "call_abandoned": "abandoned",
}


@dataclass(slots=True)
class Attempt:
    """One failed attempt."""

    duration: float
    at: float
    category: str | None
    code: str | None
    registry: str | None
    error: Callable[[], Exception]


@dataclass(slots=True)
class Recorded:
    """One call that was not silent.

    Attributes:
        name: the call's name in the log, or a number where the log has none.
        began: when it began, Unix seconds.
        attempts: the failed ones.
        waits: seconds waited after each attempt, by its number.
        outcome: `recovered`, `failed`, `reconciled`, `abandoned`, `refused`, or `unfinished` where the log ends.
        settled_at: when it ended, Unix seconds.
        last: fields of the last line.
        unknown: codes of no table.
    """

    name: str
    policy: str
    operation: str
    retry_safety: str
    began: float
    attempts: list[Attempt] = field(default_factory=list)
    waits: dict[int, float] = field(default_factory=dict)
    outcome: str = "unfinished"
    settled_at: float = 0.0
    last: Mapping[str, Any] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def made(self) -> int:
        """How many attempts were made, a good last one included."""
        return len(self.attempts) + (self.outcome == "recovered")

    @property
    def waited(self) -> float:
        """Seconds waited between attempts, looks included."""
        return _seconds(self.last, "waited_so_far") or sum(self.waits.values())


@dataclass(slots=True)
class Log:
    """What a log holds.

    Attributes:
        calls: in the order in which they began.
        lines: lines read.
        events: lines of ours.
        foreign: JSON of others.
        broken: lines that are no JSON.
        guessed: calls that were told apart by operation and key, since their lines have no call's name.
    """

    calls: list[Recorded] = field(default_factory=list)
    lines: int = 0
    events: int = 0
    foreign: int = 0
    broken: int = 0
    guessed: int = 0


def event_of(text: str) -> dict[str, Any] | None:
    """Return a line's fields with the event's bare name under `event`; None for JSON of others.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        line = json.loads(text[:_LONGEST])
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(line, dict):
        return None
    for name in _NAMES:
        told = line.get(name)
        if isinstance(told, str) and told.startswith("resilience."):
            return {**line, "event": told.removeprefix("resilience.")}
    return None


def read_log(lines: Iterable[str]) -> Log:
    """Read a log; no line of it can make this fail."""
    log, clock = Log(), 0.0
    open_calls: dict[Any, Recorded] = {}
    for text in lines:
        if not text.strip():
            continue
        log.lines += 1
        try:
            line = event_of(text)
        except ValueError:
            log.broken += 1
            continue
        if line is None:
            log.foreign += 1
            continue
        log.events += 1
        clock = _time(line, clock)
        _take(log, open_calls, line, clock)
    log.calls.sort(key=lambda call: call.began)
    return log


def _take(log: Log, open_calls: dict[Any, Recorded], line: Mapping[str, Any], at: float) -> None:
    """Add a line to its call."""
    event, operation = line["event"], _text(line, "operation")
    if operation is None:
        return  # circuits and reloads are no calls
    name = _text(line, "call")
    key: Any = name or (_text(line, "policy"), operation, _text(line, "key"))
    call = open_calls.get(key)
    if event == "call_rejected" or (event == "attempt_failed" and (call is None or _begins_anew(call, line, name))):
        call = open_calls[key] = _opened(log, line, at, name)
    if call is None:
        return  # the log begins in the middle of this call
    number = _count(line, "attempt") or len(call.attempts)
    call.last = {**call.last, **line}
    if event == "attempt_failed" and len(call.attempts) < _MOST_ATTEMPTS:
        call.attempts.append(_attempt(line, at))
        if "wait_for" in line:
            call.waits[number] = _seconds(line, "wait_for") or 0.0
    elif event == "retry_scheduled":  # a line of its own in 0.1; today a field of `attempt_failed`
        call.waits[number] = _seconds(line, "wait_for") or 0.0
    elif event == "code_unknown":
        call.unknown.append(_text(line, "code") or "")
    elif event in _ENDS or event == "call_rejected":
        call.outcome, call.settled_at = _ENDS.get(event, "refused"), at
        open_calls.pop(key, None)


def _begins_anew(call: Recorded, line: Mapping[str, Any], name: str | None) -> bool:
    """Tell whether a first attempt follows on a call that never ended, where lines have no call's name."""
    return name is None and _count(line, "attempt") == 1 and bool(call.attempts)


def _opened(log: Log, line: Mapping[str, Any], at: float, name: str | None) -> Recorded:
    log.guessed += name is None and line["event"] != "call_rejected"
    made = Recorded(
        name or f"#{len(log.calls) + 1}",
        _text(line, "policy") or "default",
        _text(line, "operation") or "",
        _text(line, "retry_safety") or _text(line, "safety") or "write",
        at - _duration(line),
    )
    log.calls.append(made)
    return made


def _duration(line: Mapping[str, Any]) -> float:
    """Return the seconds that an attempt took; version 0.1 wrote them as `took`."""
    return _seconds(line, "duration") or _seconds(line, "took") or 0.0


def _attempt(line: Mapping[str, Any], at: float) -> Attempt:
    code, registry = _text(line, "code"), _text(line, "registry")
    told = {
        "kind": _text(line, "caused_by"),
        "code": code,
        "status": _count(line, "http_status"),
        "registry": registry,
        "executed": _text(line, "executed"),
        "retry_after": _seconds(line, "retry_after"),
    }
    return Attempt(
        _duration(line),
        at,
        _text(line, "category"),
        code,
        registry,
        lambda: likeness(**told),  # type: ignore[arg-type]  # each of its own kind
    )


def _text(line: Mapping[str, Any], name: str) -> str | None:
    value = line.get(name)
    return value[:500] if isinstance(value, str) and value else None


def _count(line: Mapping[str, Any], name: str) -> int | None:
    value = line.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000 else None


def _seconds(line: Mapping[str, Any], name: str) -> float | None:
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1e7:
        return None
    return float(value)


def _time(line: Mapping[str, Any], before: float) -> float:
    """Return a line's Unix time; one that tells none, or nonsense, comes right after the line before it."""
    for name in _TIMES:
        value = line.get(name)
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value).timestamp()
            except (ValueError, OverflowError, OSError):
                continue
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e11:
            return float(value)
    return before
