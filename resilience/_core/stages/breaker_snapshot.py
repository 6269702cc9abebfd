"""Checks a breaker's exported state before anything of it is taken.

Times are seconds that remain or have passed, never instants: another process has another monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple

__all__ = ["VERSION", "Snapshot", "read_snapshot"]

VERSION = 2
_FIRST_VERSION = 1  # of 0.1: `consecutive_failures` was `streak`
_STATES = ("closed", "open", "half-open")
_MAX_ROWS = 100_000


class Snapshot(NamedTuple):
    """The state that a breaker exports.

    Attributes:
        version: number of this format.
        state: `closed`, `open` or `half-open`.
        isolated: open until it is closed by hand.
        left: seconds for which it still rejects.
        open_for: seconds for which it opens next time; each failed trial multiplies it.
        consecutive_failures: failures in a row.
        successes: trials that succeeded while half-open.
        window: `{"slices": [...]}` or `{"calls": ..., "failed": [...], "slow": [...]}`.
    """

    version: int
    state: str
    isolated: bool
    left: float
    open_for: float
    consecutive_failures: int
    successes: int
    window: dict[str, Any]


def read_snapshot(saved: object) -> Snapshot:
    """Return the state that `Breaker.export` gave, in this version or in 0.1, in the format of this version.

    Raises:
        ValueError: it is not such a state; the message names every field that is wrong.
    """
    if not isinstance(saved, Mapping):
        raise ValueError(f"a breaker's state must be a mapping, not a {type(saved).__name__}")
    if saved.get("version") == _FIRST_VERSION and "streak" in saved and "consecutive_failures" not in saved:
        saved = {("consecutive_failures" if name == "streak" else name): value for name, value in saved.items()}
    wrong = [f"unknown {name!r}" for name in saved if name not in Snapshot._fields]
    for name, (is_right, expected) in _FIELDS.items():
        if name not in saved:
            wrong.append(f"{name} is missing")
        elif not is_right(saved[name]):
            wrong.append(f"{name}: expected {expected}, got {saved[name]!r}"[:200])
    if not wrong and saved["isolated"] and saved["state"] != "open":
        wrong.append(f"isolated: a {saved['state']} breaker cannot be isolated")
    if wrong:
        raise ValueError("not a breaker's state: " + "; ".join(wrong))
    return Snapshot(**{str(name): value for name, value in saved.items()})._replace(version=VERSION)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**53


def _is_seconds(value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and isfinite(value) and value >= 0  # type: ignore[arg-type,operator]  # it is a number


def _is_window(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    if set(value) == {"slices"}:
        return _are_slices(value["slices"])
    return set(value) == {"calls", "failed", "slow"} and _are_calls(value["calls"], value["failed"], value["slow"])


def _are_slices(rows: object) -> bool:
    """Return whether these are rows of [seconds ago, successes, failures, slow successes], the oldest first."""
    if not isinstance(rows, (list, tuple)) or len(rows) > _MAX_ROWS:
        return False
    ages = [row[0] for row in rows if _is_slice(row)]
    return len(ages) == len(rows) and ages == sorted(ages, reverse=True)


def _is_slice(row: object) -> bool:
    if not isinstance(row, (list, tuple)) or len(row) != 4:
        return False
    age, successes, failures, slow = row
    return _is_seconds(age) and all(map(_is_count, (successes, failures, slow))) and slow <= successes


def _are_calls(calls: object, *kinds: object) -> bool:
    """Return whether this is the exported state of a call-count window."""
    if not _is_count(calls) or calls > _MAX_ROWS:  # type: ignore[operator]  # it is a count
        return False
    for ages in kinds:
        if not isinstance(ages, (list, tuple)) or not all(_is_count(age) and age < calls for age in ages):
            return False
        if list(ages) != sorted(set(ages), reverse=True):
            return False
    return not set(kinds[0]) & set(kinds[1])  # type: ignore[call-overload]  # they are lists


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "version": (
        lambda value: _is_count(value) and value in (_FIRST_VERSION, VERSION),
        f"{_FIRST_VERSION} or {VERSION}",
    ),
    "state": (lambda value: isinstance(value, str) and value in _STATES, f"one of {', '.join(_STATES)}"),
    "isolated": (lambda value: isinstance(value, bool), "true or false"),
    "left": (_is_seconds, "seconds"),
    "open_for": (_is_seconds, "seconds"),
    "consecutive_failures": (_is_count, "a count"),
    "successes": (_is_count, "a count"),
    "window": (_is_window, "the counts of a window"),
}
