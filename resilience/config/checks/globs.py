"""Compares two globs: whether one matches all names of the other, and a name that both match."""

from __future__ import annotations

from collections import deque
from fnmatch import fnmatchcase
from functools import lru_cache

__all__ = ["comparison_cost", "covers_all_of", "is_glob", "shared_name"]

_MAX_LENGTH = 200  # longer globs are not compared: the work grows with the product of the lengths
_SAMPLES = "abcdefghijklmnopqrstuvwxyz_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-./ "


def is_glob(text: str) -> bool:
    """Return whether a text has wildcards."""
    return any(wildcard in text for wildcard in "*?[")


def comparison_cost(one: str, other: str) -> int:
    """Return the cost of comparing two globs; a pair without wildcards costs 1."""
    both = is_glob(one) and is_glob(other) and len(one) + len(other) <= _MAX_LENGTH and not _disjoint(one, other)
    return 1 + (len(one) * len(other) // 2 if both else (len(one) + len(other)) // 64)


def covers_all_of(outer: str, inner: str) -> bool:
    """Return whether `outer` matches every name that `inner` matches; False if that is not certain."""
    if outer == inner:
        return True
    if not is_glob(inner):
        return fnmatchcase(inner, outer)
    if not is_glob(outer) or _disjoint(outer, inner) or len(outer) + len(inner) > _MAX_LENGTH:
        return False
    # `outer` runs as an automaton over the parts of `inner`: the states are positions in its parts.
    outer_parts = _parts(outer)
    states = _skip_stars(outer_parts, {0})
    for part in _parts(inner):
        active = [state for state in states if state < len(outer_parts)]
        stay = {state for state in active if outer_parts[state] == "*"}
        step = {state + 1 for state in active if part != "*" and _includes(outer_parts[state], part)}
        states = _skip_stars(outer_parts, stay | step)  # only a star of `outer` covers a star of `inner`
    return len(outer_parts) in states


def shared_name(one: str, other: str) -> str | None:
    """Return a short name that both globs match, or None."""
    if not is_glob(one) or not is_glob(other):
        name, glob = (other, one) if is_glob(one) else (one, other)
        return name if fnmatchcase(name, glob) else None
    if _disjoint(one, other) or len(one) + len(other) > _MAX_LENGTH:
        return None
    # A shortest-path search over pairs of positions; a step that adds no letter costs nothing.
    left, right = _parts(one), _parts(other)
    todo: deque[tuple[int, int, str]] = deque([(0, 0, "")])
    seen = {(0, 0)}
    while todo:
        i, j, name = todo.popleft()
        if i == len(left) and j == len(right):
            return name
        for step in _steps(left, right, i, j):
            if step[:2] not in seen:
                seen.add(step[:2])
                enqueue = todo.append if step[2] else todo.appendleft
                enqueue((step[0], step[1], name + step[2]))
    return None


def _steps(left: tuple[str, ...], right: tuple[str, ...], i: int, j: int) -> list[tuple[int, int, str]]:
    """Return the next pairs of positions, each with the letter that leads there (empty for a skipped star)."""
    a = left[i] if i < len(left) else ""
    b = right[j] if j < len(right) else ""
    steps = []
    if a == "*":
        steps.append((i + 1, j, ""))
        if b not in ("", "*"):
            steps.append((i, j + 1, _sample(b, "?")))
    if b == "*":
        steps.append((i, j + 1, ""))
        if a not in ("", "*"):
            steps.append((i + 1, j, _sample(a, "?")))
    if a not in ("", "*") and b not in ("", "*") and (both := _sample(a, b)):
        steps.append((i + 1, j + 1, both))
    return steps


@lru_cache(maxsize=1024)
def _parts(glob: str) -> tuple[str, ...]:
    """Split a glob into letters, `?`, `*` and sets such as `[ab]`."""
    parts: list[str] = []
    start = 0
    while start < len(glob):
        end = start + 1
        if glob[start] == "[":
            close = glob.find("]", start + 2 + (glob[start + 1 : start + 2] == "!"))
            end = close + 1 if close > 0 else end
        part = glob[start:end]
        if not (part == "*" and parts and parts[-1] == "*"):
            parts.append(part)
        start = end
    return tuple(parts)


def _skip_stars(parts: tuple[str, ...], states: set[int]) -> set[int]:
    """Add the positions after stars, which may match nothing."""
    for state in sorted(states):
        while state < len(parts) and parts[state] == "*":
            state += 1
            states.add(state)
    return states


def _includes(outer: str, inner: str) -> bool:
    if outer in ("?", inner):
        return True
    return len(inner) == 1 and inner != "?" and fnmatchcase(inner, outer)


@lru_cache(maxsize=4096)
def _sample(one: str, other: str) -> str:
    """Return a letter that both parts match, or an empty string."""
    letters = one if len(one) == 1 and one != "?" else other if len(other) == 1 and other != "?" else _SAMPLES
    return next((letter for letter in letters if fnmatchcase(letter, one) and fnmatchcase(letter, other)), "")


def _disjoint(one: str, other: str) -> bool:
    """Return whether different literal prefixes or suffixes show that two globs have no name in common."""
    a, b = _prefix(one), _prefix(other)
    c, d = _prefix(one[::-1].replace("]", "[")), _prefix(other[::-1].replace("]", "["))
    return not (a.startswith(b) or b.startswith(a)) or not (c.startswith(d) or d.startswith(c))


def _prefix(glob: str) -> str:
    return glob[: min((index for index in map(glob.find, "*?[") if index >= 0), default=len(glob))]
