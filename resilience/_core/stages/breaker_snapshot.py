"""A breaker's state as plain data, checked before anything is done with it.

Times are what remains and what has passed, never instants: another process has another clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, NamedTuple

__all__ = ["VERSION", "Snapshot", "read"]

VERSION = 1
_STATES = ("closed", "open", "half-open")
_MOST = 100_000


class Snapshot(NamedTuple):
    """What a breaker exports.

    Attributes:
        version: of this shape.
        state: `closed`, `open` or `half-open`.
        isolated: open until it is closed by hand.
        left: seconds for which it still refuses.
        open_for: seconds for which it opens next time; a failed trial makes it grow.
        consecutive_failures: failures in a row.
        successes: good trials while half-open.
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


def read(saved: object) -> Snapshot:
    """Return what `Breaker.export` gave.

    Raises:
        ValueError: it is not that; the message names every part that is wrong.
    """
    if not isinstance(saved, Mapping):
        raise ValueError(f"a breaker's state is a mapping, not a {type(saved).__name__}")
    if "streak" in saved and "consecutive_failures" not in saved:  # the spelling of 0.1, read for one version
        saved = {("consecutive_failures" if name == "streak" else name): value for name, value in saved.items()}
    wrong = [f"unknown {name!r}" for name in saved if name not in Snapshot._fields]
    for name, (right, expected) in _RIGHT.items():
        if name not in saved:
            wrong.append(f"{name} is missing")
        elif not right(saved[name]):
            wrong.append(f"{name}: expected {expected}, got {saved[name]!r}"[:200])
    if not wrong and saved["isolated"] and saved["state"] != "open":
        wrong.append(f"isolated: a breaker that is {saved['state']} cannot be")
    if wrong:
        raise ValueError("no breaker's state: " + "; ".join(wrong))
    return Snapshot(**{str(name): value for name, value in saved.items()})


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**53


def _seconds(value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and isfinite(value) and value >= 0  # type: ignore[arg-type,operator]  # it is a number


def _window(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    if set(value) == {"slices"}:
        return _slices(value["slices"])
    return set(value) == {"calls", "failed", "slow"} and _calls(value["calls"], value["failed"], value["slow"])


def _slices(rows: object) -> bool:
    """Rows of [seconds ago, common, rare, slow], the oldest first."""
    if not isinstance(rows, (list, tuple)) or len(rows) > _MOST:
        return False
    for row in rows:
        if not isinstance(row, (list, tuple)) or len(row) != 4 or not _seconds(row[0]) or not all(map(_count, row[1:])):
            return False
    ages = [row[0] for row in rows]
    return ages == sorted(ages, reverse=True) and all(row[3] <= row[1] for row in rows)


def _calls(calls: object, *kinds: object) -> bool:
    """How many calls, and for each kind how many calls ago each one was, the oldest first."""
    if not _count(calls) or calls > _MOST:  # type: ignore[operator]  # it is a count
        return False
    for agos in kinds:
        if not isinstance(agos, (list, tuple)) or not all(_count(ago) and ago < calls for ago in agos):
            return False
        if list(agos) != sorted(set(agos), reverse=True):
            return False
    return not set(kinds[0]) & set(kinds[1])  # type: ignore[call-overload]  # they are lists


_RIGHT: dict[str, tuple[Callable[[Any], bool], str]] = {
    "version": (lambda value: value == VERSION and _count(value), str(VERSION)),
    "state": (lambda value: isinstance(value, str) and value in _STATES, f"one of {', '.join(_STATES)}"),
    "isolated": (lambda value: isinstance(value, bool), "true or false"),
    "left": (_seconds, "seconds"),
    "open_for": (_seconds, "seconds"),
    "consecutive_failures": (_count, "a count"),
    "successes": (_count, "a count"),
    "window": (_window, "the counts of a window"),
}
