"""Collects every mistake of a file before anything is refused.

The work is bounded, whatever a file holds: so many mistakes are told, so many names are compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

from ...errors import PolicyError, Problem
from .nodes import Node
from .secret_values import SECRET_HINT, is_credential

__all__ = ["MOST", "Mistakes", "printable", "shorten_list"]

MOST = 500
"""Mistakes that are told of one file."""
_MOST_SEEN = 20 * MOST  # the same ones, met again where others inherit them, included
_MOST_COMPARED = 5_000  # names that words are compared with
_LONGEST_WORD, _LONGEST_PATH, _LISTED = 60, 200, 30


class Mistakes:
    """The problems found so far in one file.

    Attributes:
        file: its name.
        problems: what is told.
        hidden: values that no message may show, and what is said in their stead.
        count: how often something was wrong, what is told once or was told before included.
    """

    def __init__(self, file: str, hidden: Mapping[str, str] | None = None) -> None:
        self.file = file
        self.hidden: Mapping[str, str] = hidden or {}
        self.problems: list[Problem] = []
        self.count = 0
        self._known: set[tuple[object, ...]] = set()
        self._compared = 0

    def add(self, node: Node | None, path: str, message: str) -> None:
        """Note a mistake where `node` stands; the same one is noted once, also where others inherit it.

        Raises:
            PolicyError: there are more mistakes than are told of one file.
        """
        self.count += 1
        if node is not None and node.is_reported:
            return
        for value, said in self.hidden.items():
            message = message.replace(value, said)
        line, column, file = (node.line, node.column, node.file) if node is not None else (0, 0, "")
        problem = Problem(file or self.file, line, column, printable(path), message)
        known = (problem.file, line, column, message) if line else problem
        if known not in self._known:
            self._known.add(known)
            self.problems.append(problem)
        if len(self.problems) > MOST or self.count > _MOST_SEEN:
            self.end()

    def fields(self, node: Node, path: str, allowed: Iterable[str]) -> dict[str, Node]:
        """Return a mapping's values by key; unknown and repeated keys are mistakes."""
        values: dict[str, Node] = {}
        names = list(allowed)
        for key, value in node.value:
            at = f"{path}.{key.value}" if path else str(key.value)
            if key.value not in names:
                self.add(key, at, self._unknown(str(key.value), names))
            elif key.value in values:
                self.add(key, at, "stands here twice")
            else:
                values[key.value] = value
        return values

    def nearest(self, word: str, names: Collection[str]) -> str:
        """Return the name that may have been meant, or nothing."""
        if len(word) > _LONGEST_WORD or self._compared > _MOST_COMPARED:
            return ""
        self._compared += len(names)
        some = [name for name in list(names)[:_MOST_COMPARED] if len(name) <= _LONGEST_WORD]
        return next(iter(get_close_matches(word, some, 1)), "")

    def hint(self, word: str, names: Collection[str]) -> str:
        """Say which name may have been meant, else which there are."""
        near = self.nearest(word, names)
        return f"did you mean {near}?" if near else f"there are {shorten_list(sorted(names))}"

    def end(self) -> None:
        """Refuse the file if anything was found.

        Raises:
            PolicyError: every problem, in the order of the lines.
        """
        if self.problems:
            told = sorted(self.problems, key=lambda one: (one.file, one.line, one.column))
            if len(told) > MOST or self.count > _MOST_SEEN:
                told[MOST:] = [Problem(self.file, 0, 0, "", f"more than {MOST} mistakes: the rest is not told")]
            raise PolicyError.of(told)

    def _unknown(self, key: str, names: list[str]) -> str:
        if is_credential(key):
            return SECRET_HINT
        if key == "<<":
            return "merge keys are not read: a policy inherits by extends"
        near = self.nearest(key, names)
        return f"unknown key; did you mean {near}?" if near else f"unknown key; allowed are {', '.join(names)}"


def shorten_list(names: Iterable[str]) -> str:
    """Name what there is, shortened where there is much."""
    all_names = list(names)
    some = ", ".join(printable(one)[:_LONGEST_WORD] for one in all_names[:_LISTED])
    more = len(all_names) - _LISTED
    return f"{some} and {more} more" if more > 0 else some


def printable(text: str) -> str:
    """Return a text of a file as it may be written to a terminal: one line, no control characters, not endless."""
    safe = text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return safe if len(safe) <= _LONGEST_PATH else safe[: _LONGEST_PATH - 3] + "..."
