"""Collects all mistakes of a file, so that one error reports them together.

The work is bounded for any file: the number of mistakes and the number of compared names have limits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches

from ...errors import PolicyError, Problem
from .nodes import Node
from .secret_values import SECRET_HINT, is_credential

__all__ = ["MAX_MISTAKES", "Mistakes", "printable", "shorten_list"]

MAX_MISTAKES = 500
"""The maximum number of mistakes that are reported per file."""
_MAX_SEEN = 20 * MAX_MISTAKES  # includes repeats of a mistake in policies that inherit it
_MAX_COMPARED = 5_000  # names that are compared for "did you mean"
_MAX_WORD, _MAX_PATH, _MAX_LISTED = 60, 200, 30


class Mistakes:
    """The mistakes of one file.

    Attributes:
        file: its name.
        problems: the mistakes to report.
        hidden: values that no message may show, with the texts that are shown instead.
        count: the number of mistakes, including repeats that are reported once.
    """

    def __init__(self, file: str, hidden: Mapping[str, str] | None = None) -> None:
        self.file = file
        self.hidden: Mapping[str, str] = hidden or {}
        self.problems: list[Problem] = []
        self.count = 0
        self._known: set[tuple[object, ...]] = set()
        self._compared = 0

    def add(self, node: Node | None, path: str, message: str) -> None:
        """Add a mistake at the position of `node`; a repeat, for example by inheritance, is added once.

        Raises:
            PolicyError: the file has too many mistakes.
        """
        self.count += 1
        if node is not None and node.is_reported:
            return
        for value, mask in self.hidden.items():
            message = message.replace(value, mask)  # a value from the environment may be secret
        line, column, file = (node.line, node.column, node.file) if node is not None else (0, 0, "")
        problem = Problem(file or self.file, line, column, printable(path), message)
        # The path is left out: an inherited mistake has one position and a path per policy.
        known = (problem.file, line, column, message) if line else problem
        if known not in self._known:
            self._known.add(known)
            self.problems.append(problem)
        if len(self.problems) > MAX_MISTAKES or self.count > _MAX_SEEN:
            self.end()

    def fields(
        self, node: Node, path: str, allowed: Iterable[str], place_of: Callable[[str], str] = lambda _key: ""
    ) -> dict[str, Node]:
        """Return a mapping's values by key; unknown and duplicate keys are mistakes.

        Args:
            node: the mapping.
            path: its path in messages.
            allowed: the keys that it may have.
            place_of: says where an unknown key belongs; empty if that is not known.
        """
        values: dict[str, Node] = {}
        names = list(allowed)
        for key, value in node.value:
            key_path = f"{path}.{key.value}" if path else str(key.value)
            if key.value not in names:
                self.add(key, key_path, self._unknown(str(key.value), names, place_of))
            elif key.value in values:
                self.add(key, key_path, "duplicate key")
            else:
                values[key.value] = value
        return values

    def nearest(self, word: str, names: Collection[str]) -> str:
        """Return the most similar name, or an empty string."""
        if len(word) > _MAX_WORD or self._compared > _MAX_COMPARED:
            return ""
        self._compared += len(names)
        compared = [name for name in list(names)[:_MAX_COMPARED] if len(name) <= _MAX_WORD]
        return next(iter(get_close_matches(word, compared, 1)), "")

    def hint(self, word: str, names: Collection[str]) -> str:
        """Return a hint with the most similar name, else with the available names."""
        near = self.nearest(word, names)
        return f"did you mean {near}?" if near else f"available: {shorten_list(sorted(names))}"

    def end(self) -> None:
        """Raise if there is any mistake.

        Raises:
            PolicyError: all mistakes in the order of their lines.
        """
        if self.problems:
            problems = sorted(self.problems, key=lambda problem: (problem.file, problem.line, problem.column))
            if len(problems) > MAX_MISTAKES or self.count > _MAX_SEEN:
                rest = f"more than {MAX_MISTAKES} mistakes: the others are not listed"
                problems[MAX_MISTAKES:] = [Problem(self.file, 0, 0, "", rest)]
            raise PolicyError.of(problems)

    def _unknown(self, key: str, names: list[str], place_of: Callable[[str], str]) -> str:
        if is_credential(key):
            return SECRET_HINT
        if key == "<<":
            return "merge keys are not supported; a policy inherits with extends"
        if place := place_of(key):
            return f"unknown key here; {place}"
        near = self.nearest(key, names)
        return f"unknown key; did you mean {near}?" if near else f"unknown key; available: {', '.join(names)}"


def shorten_list(names: Iterable[str]) -> str:
    """Return the names as a list in words, shortened after some."""
    all_names = list(names)
    some = ", ".join(printable(name)[:_MAX_WORD] for name in all_names[:_MAX_LISTED])
    more = len(all_names) - _MAX_LISTED
    return f"{some} and {more} more" if more > 0 else some


def printable(text: str) -> str:
    """Return a file's text as it is safe to print: one line, without control characters, shortened."""
    safe = text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return safe if len(safe) <= _MAX_PATH else safe[: _MAX_PATH - 3] + "..."
