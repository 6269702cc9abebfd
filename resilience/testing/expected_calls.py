"""`assert_events`: what happened against what should have, and a difference that a person can read.

Both lists are laid beside each other (the longest common run of matches), so that one missing event
does not make every later one wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from .._core.base.events import EVENTS, Event
from ..telemetry.redaction import redact

__all__ = ["assert_events"]

_FIELDS = tuple(one.name for one in fields(Event))
_NEAR = 1e-9  # seconds; waits are sums of floats


def assert_events(
    events: Iterable[Event],
    *expected: str | Mapping[str, Any],
    operation: str | None = None,
    among_others: bool = False,
    in_any_order: bool = False,
) -> None:
    """Fail unless the events are those expected, in their order.

    An expected event is a name, or a mapping with `name` and the fields that matter; other fields may
    be anything. A value that can be called is asked: `{"name": "attempt_failed", "wait_for": lambda s: s <= 5}`.

    Args:
        events: what was recorded.
        expected: the events that should have happened.
        operation: a glob; events of other operations are left out.
        among_others: other events may stand before, between and after.
        in_any_order: only what happened counts, not when.

    Raises:
        AssertionError: they are not; the message shows both, side by side.
        ValueError: an event or a field that is expected does not exist.

    Example:
        >>> events = [Event(name="attempt_failed", code="429"), Event(name="call_failed", code="429")]
        >>> assert_events(events, "attempt_failed", {"name": "call_failed", "code": "429"})
        >>> assert_events(events, "call_failed", among_others=True)
    """
    wanted = [_checked(one) for one in expected]
    happened = [one for one in events if operation is None or fnmatchcase(one.operation or "", operation)]
    fits = [[_fits(want, event) for event in happened] for want in wanted]
    pairs = _any_order(fits) if in_any_order else _in_order(fits, len(happened))
    if len(pairs) == len(wanted) and (among_others or len(pairs) == len(happened)):
        return
    if in_any_order:
        text = _listed(wanted, happened, pairs, among_others=among_others)
    else:
        text = _aligned(wanted, happened, pairs)
    raise AssertionError("\n".join(["the events are not those expected (- missing, + not expected):", *text]))


def _checked(one: str | Mapping[str, Any]) -> dict[str, Any]:
    want = {"name": one} if isinstance(one, str) else dict(one)
    for given, allowed, what in ((want.get("name"), EVENTS, "event"), *((name, _FIELDS, "field") for name in want)):
        if given is not None and given not in allowed:
            near = get_close_matches(str(given), allowed, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(allowed)}"
            raise ValueError(f"no {what} {given!r}; {hint}")
    return want


def _fits(want: Mapping[str, Any], event: Event) -> bool:
    return all(_same(value, getattr(event, name)) for name, value in want.items())


def _same(value: Any, real: Any) -> bool:
    if callable(value):
        return bool(real is not None and value(real))
    if isinstance(value, float) and isinstance(real, (int, float)):
        return abs(value - real) <= _NEAR
    return bool(value == real)


def _in_order(fits: Sequence[Sequence[bool]], width: int) -> dict[int, int]:
    """Return the longest pairing in which both sides keep their order: expected place → place that happened."""
    best = [[0] * (width + 1) for _ in range(len(fits) + 1)]
    for row in range(len(fits) - 1, -1, -1):
        for place in range(width - 1, -1, -1):
            paired = best[row + 1][place + 1] + 1 if fits[row][place] else 0
            best[row][place] = max(paired, best[row + 1][place], best[row][place + 1])
    pairs, row, place = {}, 0, 0
    while row < len(fits) and place < width:
        if fits[row][place] and best[row][place] == best[row + 1][place + 1] + 1:
            pairs[row] = place
            row, place = row + 1, place + 1
        elif best[row + 1][place] >= best[row][place + 1]:
            row += 1
        else:
            place += 1
    return pairs


def _any_order(fits: Sequence[Sequence[bool]]) -> dict[int, int]:
    """Return a largest pairing, whatever the order: a row that finds its place taken asks the owner to move on."""
    owner: dict[int, int] = {}

    def seat(row: int, seen: set[int]) -> bool:
        for place, fitting in enumerate(fits[row]):
            if fitting and place not in seen:
                seen.add(place)
                if place not in owner or seat(owner[place], seen):
                    owner[place] = row
                    return True
        return False

    for row in range(len(fits)):
        seat(row, set())
    return {row: place for place, row in owner.items()}


def _aligned(wanted: Sequence[Mapping[str, Any]], happened: Sequence[Event], pairs: Mapping[int, int]) -> list[str]:
    lines, seen = [], 0
    missing: list[Mapping[str, Any]] = []
    for row, want in enumerate([*wanted, {}]):
        if row < len(wanted) and row not in pairs:
            missing.append(want)
            continue
        place = pairs.get(row, len(happened))
        lines += _gap(missing, happened[seen:place])
        lines += [_line(" ", _told(happened[one])) for one in range(place, min(place + 1, len(happened)))]
        missing, seen = [], place + 1
    return lines


def _gap(missing: Sequence[Mapping[str, Any]], extra: Sequence[Event]) -> list[str]:
    """Return the lines between two matches; an event that is right but for its fields says which."""
    lines = [_line("-", want) for want in missing]
    for event in extra:
        twin = next((want for want in missing if want.get("name") == event.name), None)
        shown = _told(event) if twin is None else {name: getattr(event, name) for name in twin}
        lines.append(_line("+", shown))
    return lines


def _listed(
    wanted: Sequence[Mapping[str, Any]], happened: Sequence[Event], pairs: Mapping[int, int], *, among_others: bool
) -> list[str]:
    lines = [_line("-", want) for row, want in enumerate(wanted) if row not in pairs]
    taken = set(pairs.values())
    mark = " " if among_others else "+"
    return lines + [_line(" " if at in taken else mark, _told(event)) for at, event in enumerate(happened)]


def _told(event: Event) -> dict[str, Any]:
    return {"name": event.name, **event.fields()}


def _line(mark: str, shown: Mapping[str, Any]) -> str:
    rest = " ".join(f"{name}={_value(value)}" for name, value in shown.items() if name != "name")
    return f"  {mark} {shown.get('name', 'any event')} {rest}".rstrip()


def _value(value: Any) -> str:
    if callable(value):
        return f"<{getattr(value, '__name__', 'asked')}>"
    return redact(value if isinstance(value, str) and value.isidentifier() else repr(value))
