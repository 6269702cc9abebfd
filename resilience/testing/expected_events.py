"""Compares recorded events with expected ones: `assert_events`.

The message aligns both lists by their longest common subsequence, so that one missing event does not make every later
one wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from .._core.base.event import EVENTS, Event
from ..telemetry.redaction import redact

__all__ = ["assert_events"]

_FIELDS = tuple(field.name for field in fields(Event))
_RENAMED = {
    "call_fell_back": "is now 'fallback_used'",
    "call_hedged": "is now 'hedge_started'",
    "retry_scheduled": "is now part of 'attempt_failed', as its field 'wait_for'",
}
"""What became of events of 0.1."""
_RENAMED_FIELDS = {"safety": "retry_safety", "took": "duration"}
"""Fields of events of 0.1, and their names now."""
_TOLERANCE = 1e-9  # seconds; waits are sums of floats


def assert_events(
    events: Iterable[Event],
    *expected: str | Mapping[str, Any],
    operation: str | None = None,
    among_others: bool = False,
    in_any_order: bool = False,
) -> None:
    """Fail unless the events are the expected ones, in the expected order.

    An expected event is a name, or a mapping with `name` and the fields that matter; other fields may have any value.
    A callable value is a check of the field: `{"name": "attempt_failed", "wait_for": lambda s: s <= 5}`.

    Args:
        events: the recorded events.
        expected: the events that should have happened.
        operation: a glob; events of other operations are ignored.
        among_others: whether other events may happen before, between and after.
        in_any_order: whether the order is ignored.

    Raises:
        AssertionError: the events differ; the message shows the difference.
        ValueError: an expected event or field does not exist.

    Example:
        >>> names = ("attempt_failed", "call_failed")
        >>> events = [Event(name=name, code="429") for name in names]
        >>> assert_events(events, "attempt_failed", {"name": "call_failed", "code": "429"})
        >>> assert_events(events, "call_failed", among_others=True)
    """
    wanted = [_checked(event) for event in expected]
    happened = [event for event in events if operation is None or fnmatchcase(event.operation or "", operation)]
    matches = [[_matches(want, event) for event in happened] for want in wanted]
    pairs = _pair_in_any_order(matches) if in_any_order else _pair_in_order(matches, len(happened))
    if len(pairs) == len(wanted) and (among_others or len(pairs) == len(happened)):
        return
    if in_any_order:
        lines = _listed(wanted, happened, pairs, among_others=among_others)
    else:
        lines = _aligned(wanted, happened, pairs)
    raise AssertionError("\n".join(["the events are not those expected (- missing, + not expected):", *lines]))


def _checked(expected: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return an expected event as a mapping; raises a `ValueError` for a name or a field that does not exist."""
    want = {"name": expected} if isinstance(expected, str) else dict(expected)
    name = want.get("name")
    if name is not None:
        if name in _RENAMED:
            raise ValueError(f"no event {name!r}: the event of 0.1 {_RENAMED[name]}")
        _check_known(name, EVENTS, "event")
    for field in want:
        if field in _RENAMED_FIELDS:
            raise ValueError(f"no field {field!r}: the field of 0.1 is now {_RENAMED_FIELDS[field]!r}")
        _check_known(field, _FIELDS, "field")
    return want


def _check_known(name: object, known: Sequence[str], kind: str) -> None:
    if name not in known:
        similar = get_close_matches(str(name), known, 1)
        hint = f"did you mean {similar[0]!r}?" if similar else f"available: {', '.join(known)}"
        raise ValueError(f"no {kind} {name!r}; {hint}")


def _matches(want: Mapping[str, Any], event: Event) -> bool:
    return all(_is_expected(value, getattr(event, name)) for name, value in want.items())


def _is_expected(expected: Any, actual: Any) -> bool:
    if callable(expected):
        return bool(actual is not None and expected(actual))
    if isinstance(expected, float) and isinstance(actual, (int, float)):
        return abs(expected - actual) <= _TOLERANCE
    return bool(expected == actual)


def _pair_in_order(matches: Sequence[Sequence[bool]], width: int) -> dict[int, int]:
    """Return the longest pairing in which both sides keep their order: row (expected) → column (happened).

    `best[row][column]` is the length of the longest common subsequence of what follows both.
    """
    best = [[0] * (width + 1) for _ in range(len(matches) + 1)]
    for row in range(len(matches) - 1, -1, -1):
        for column in range(width - 1, -1, -1):
            paired = best[row + 1][column + 1] + 1 if matches[row][column] else 0
            best[row][column] = max(paired, best[row + 1][column], best[row][column + 1])
    pairs, row, column = {}, 0, 0
    while row < len(matches) and column < width:
        if matches[row][column] and best[row][column] == best[row + 1][column + 1] + 1:
            pairs[row] = column
            row, column = row + 1, column + 1
        elif best[row + 1][column] >= best[row][column + 1]:
            row += 1
        else:
            column += 1
    return pairs


def _pair_in_any_order(matches: Sequence[Sequence[bool]]) -> dict[int, int]:
    """Return a largest pairing in any order: row (expected) → column (happened).

    Kuhn's algorithm for bipartite matching: a row whose columns are taken makes their owners move where they can.
    """
    owners: dict[int, int] = {}

    def assign(row: int, visited: set[int]) -> bool:
        for column, matching in enumerate(matches[row]):
            if matching and column not in visited:
                visited.add(column)
                if column not in owners or assign(owners[column], visited):
                    owners[column] = row
                    return True
        return False

    for row in range(len(matches)):
        assign(row, set())
    return {row: column for column, row in owners.items()}


def _aligned(wanted: Sequence[Mapping[str, Any]], happened: Sequence[Event], pairs: Mapping[int, int]) -> list[str]:
    lines: list[str] = []
    missing: list[Mapping[str, Any]] = []
    start = 0  # of the events that no line shows yet
    for row, want in enumerate(wanted):
        if row not in pairs:
            missing.append(want)
            continue
        column = pairs[row]
        lines += [*_gap(missing, happened[start:column]), _line(" ", _fields_of(happened[column]))]
        missing, start = [], column + 1
    return lines + _gap(missing, happened[start:])


def _shown_fields(event: Event, missing: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return those fields of an event that were expected of one with its name; all if none was."""
    want = next((want for want in missing if want.get("name") == event.name), None)
    return _fields_of(event) if want is None else {name: getattr(event, name) for name in want}


def _gap(missing: Sequence[Mapping[str, Any]], extra: Sequence[Event]) -> list[str]:
    """Return the lines between two matches; of an event that was expected with other fields, those fields alone."""
    lines = [_line("-", want) for want in missing]
    lines += [_line("+", _shown_fields(event, missing)) for event in extra]
    return lines


def _listed(
    wanted: Sequence[Mapping[str, Any]], happened: Sequence[Event], pairs: Mapping[int, int], *, among_others: bool
) -> list[str]:
    lines = [_line("-", want) for row, want in enumerate(wanted) if row not in pairs]
    paired = set(pairs.values())
    for column, event in enumerate(happened):
        lines.append(_line(" " if column in paired or among_others else "+", _fields_of(event)))
    return lines


def _fields_of(event: Event) -> dict[str, Any]:
    return {"name": event.name, **event.fields()}


def _line(mark: str, shown: Mapping[str, Any]) -> str:
    rest = " ".join(f"{name}={_spelled(value)}" for name, value in shown.items() if name != "name")
    return f"  {mark} {shown.get('name', 'any event')} {rest}".rstrip()


def _spelled(value: Any) -> str:
    if callable(value):
        return f"<{getattr(value, '__name__', 'check')}>"
    return redact(value if isinstance(value, str) and value.isidentifier() else repr(value))
