"""What two globs have to do with each other: whether one covers the other, and which name both match."""

from __future__ import annotations

from collections import deque
from fnmatch import fnmatchcase
from functools import lru_cache

__all__ = ["covers_all_of", "comparison_cost", "is_glob", "shared_name"]

_LONGEST = 200  # longer globs are not compared: the work grows with the product of the lengths
_SAMPLES = "abcdefghijklmnopqrstuvwxyz_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-./ "


def is_glob(text: str) -> bool:
    """Tell whether a text matches more than itself."""
    return any(one in text for one in "*?[")


def comparison_cost(one: str, other: str) -> int:
    """Return how much work it is to compare two globs; a pair without stars costs one."""
    both = is_glob(one) and is_glob(other) and len(one) + len(other) <= _LONGEST and not _apart(one, other)
    return 1 + (len(one) * len(other) // 2 if both else (len(one) + len(other)) // 64)


def covers_all_of(outer: str, inner: str) -> bool:
    """Tell whether every name that `inner` matches is matched by `outer` as well; in doubt it says no."""
    if outer == inner:
        return True
    if not is_glob(inner):
        return fnmatchcase(inner, outer)
    if not is_glob(outer) or _apart(outer, inner) or len(outer) + len(inner) > _LONGEST:
        return False
    more, less = _parts(outer), _parts(inner)
    places = _skip(more, {0})
    for one in less:
        stay = {place for place in places if place < len(more) and more[place] == "*"}
        step = {
            place + 1 for place in places if place < len(more) and one != "*" and _holds(more[place], one)
        }  # a star is covered by a star alone
        places = _skip(more, stay | step)
    return len(more) in places


def shared_name(one: str, other: str) -> str | None:
    """Return a short name that both globs match, or None."""
    if not is_glob(one) or not is_glob(other):
        name, glob = (other, one) if is_glob(one) else (one, other)
        return name if fnmatchcase(name, glob) else None
    if _apart(one, other) or len(one) + len(other) > _LONGEST:
        return None
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
                put = todo.append if step[2] else todo.appendleft
                put((step[0], step[1], name + step[2]))
    return None


def _steps(left: tuple[str, ...], right: tuple[str, ...], i: int, j: int) -> list[tuple[int, int, str]]:
    """Return where both may go from here, and the letter that this takes."""
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
    place = 0
    while place < len(glob):
        end = place + 1
        if glob[place] == "[":
            close = glob.find("]", place + 2 + (glob[place + 1 : place + 2] == "!"))
            end = close + 1 if close > 0 else end
        part = glob[place:end]
        if not (part == "*" and parts and parts[-1] == "*"):
            parts.append(part)
        place = end
    return tuple(parts)


def _skip(parts: tuple[str, ...], places: set[int]) -> set[int]:
    """Add the places after stars, which may match nothing."""
    for place in sorted(places):
        while place < len(parts) and parts[place] == "*":
            place += 1
            places.add(place)
    return places


def _holds(outer: str, inner: str) -> bool:
    if outer in ("?", inner):
        return True
    return len(inner) == 1 and inner != "?" and fnmatchcase(inner, outer)


@lru_cache(maxsize=4096)
def _sample(one: str, other: str) -> str:
    """Return a letter that both match, or nothing."""
    letters = one if len(one) == 1 and one != "?" else other if len(other) == 1 and other != "?" else _SAMPLES
    return next((letter for letter in letters if fnmatchcase(letter, one) and fnmatchcase(letter, other)), "")


def _apart(one: str, other: str) -> bool:
    """Tell by their plain beginnings and ends that two globs have no name in common."""
    a, b = _plain(one), _plain(other)
    ends = not (a.startswith(b) or b.startswith(a))
    c, d = _plain(one[::-1].replace("]", "[")), _plain(other[::-1].replace("]", "["))
    return ends or not (c.startswith(d) or d.startswith(c))


def _plain(glob: str) -> str:
    return glob[: min((at for at in map(glob.find, "*?[") if at >= 0), default=len(glob))]
