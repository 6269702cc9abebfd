"""Represents a YAML file as a tree of nodes with positions, and defines the limits of its size.

Scalars follow YAML 1.2: only `true` and `false` are booleans, so `executed: no` is a string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "MAX_NODES", "OFF", "Node", "field_of", "merged", "node_at"]

OFF = (None, "off")
"""The values that switch a stage off."""
MAX_DEPTH = 40
"""The maximum number of levels of a document."""
MAX_LENGTH = 4_096
"""The maximum number of characters of a value."""
MAX_NODES = 30_000
"""The maximum number of values of a document, aliases expanded."""
# At most 18 digits: Python limits the length of an int literal, and no setting is near that.
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(
    r"[-+]?(?:(?:[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})(?:e[-+]?[0-9]{1,3})?|[0-9]{1,18}e[-+]?[0-9]{1,3})",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Node:
    """A value and its position.

    Attributes:
        value: (key node, value node) pairs in a mapping, nodes in a list, else the text of the scalar.
        line: from 1; 0 if unknown.
        column: from 1.
        kind: `scalar`, `list` or `mapping`.
        quoted: whether the scalar has quotes; then it is a string.
        file: the file that it is written in.
        mask: what messages say in place of a value that must not be shown.
        is_reported: a mistake has been reported here; later ones are dropped.
    """

    value: Any
    line: int
    column: int
    kind: str = "scalar"
    quoted: bool = False
    file: str = ""
    mask: str = ""
    is_reported: bool = False

    @property
    def plain(self) -> Any:
        """The value as plain Python, scalars resolved."""
        if self.kind == "mapping":
            return {key.value: node.plain for key, node in self.value}
        if self.kind == "list":
            return [node.plain for node in self.value]
        return self.value if self.quoted else _resolve(self.value)


def field_of(mapping: Node, name: str) -> Node | None:
    """Return the value of a key, or None."""
    return next((value for key, value in mapping.value if key.value == name), None)


def node_at(node: Node, path: str) -> Node:
    """Return the node at a path such as `quota[0].rate` in `node`, or its nearest ancestor that exists."""
    # An unknown part leaves the node as it is, so a mistake of a default is reported at its section.
    for part in filter(None, re.split(r"[.\[\]]", path)):
        if node.kind == "list" and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
        elif node.kind == "mapping":
            node = next((value for key, value in node.value if key.value == part), node)
    return node


def merged(under: Node | None, over: Node) -> Node:
    """Merge the mapping `over` into `under`, section by section; any other value replaces the one under it."""
    if under is None or under.kind != "mapping" or over.kind != "mapping":
        return over
    below = {key.value: value for key, value in under.value}
    own = {key.value for key, _ in over.value}
    pairs = [pair for pair in under.value if pair[0].value not in own]
    # A duplicate key is kept: the reader of the merged node reports it.
    pairs += [(key, merged(below.get(key.value), value)) for key, value in over.value]
    return Node(pairs, over.line, over.column, "mapping", False, over.file)


def _resolve(text: str) -> Any:
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
