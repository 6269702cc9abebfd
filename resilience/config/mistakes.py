"""Collects every mistake of a file before anything is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from ..errors import PolicyError, Problem
from .nodes import Node

__all__ = ["Mistakes"]

_SECRET = re.compile(r"secret|passphrase|passwo?r?d|api_?key|token|private_?key", re.IGNORECASE)


class Mistakes:
    """The problems found so far in one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, node: Node | None, path: str, message: str) -> None:
        """Note a mistake where `node` stands; the same one is noted once, also where others inherit it."""
        line, column, file = (node.line, node.column, node.file) if node is not None else (0, 0, "")
        problem = Problem(file or self.file, line, column, path, message)
        if not any(one == problem or (line and one._replace(path=path) == problem) for one in self.problems):
            self.problems.append(problem)

    def fields(self, node: Node, path: str, allowed: Iterable[str]) -> dict[str, Node]:
        """Return a mapping's values by key; unknown and repeated keys are mistakes."""
        values: dict[str, Node] = {}
        names = list(allowed)
        for key, value in node.value:
            at = f"{path}.{key.value}" if path else str(key.value)
            if key.value not in names:
                self.add(key, at, _unknown(str(key.value), names))
            elif key.value in values:
                self.add(key, at, "stands here twice")
            else:
                values[key.value] = value
        return values

    def end(self) -> None:
        """Refuse the file if anything was found.

        Raises:
            PolicyError: every problem, in the order of the lines.
        """
        if self.problems:
            raise PolicyError.of(sorted(self.problems, key=lambda one: (one.file, one.line, one.column)))


def _unknown(key: str, names: list[str]) -> str:
    if _SECRET.search(key):
        return "a secret never stands in a policy file: give it to the client"
    near = get_close_matches(key, names, 1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; allowed are {', '.join(names)}"
