"""Policies that extend others: each policy's settings with everything that it inherits beneath them."""

from __future__ import annotations

from collections.abc import Mapping

from .mistakes import Mistakes
from .nodes import MAX_DEPTH, MAX_NODES, Node, merged
from .section_nodes import OFF

__all__ = ["inherited_policies", "parent_of"]

_MOST = 1_000  # policies of one file


def parent_of(node: Node) -> Node | None:
    """Return what a policy's node says under `extends`; None where it extends nothing."""
    found = next((value for key, value in node.value if key.value == "extends"), None)
    return None if found is None or (found.kind == "scalar" and found.plain in OFF) else found


def inherited_policies(node: Node | None, below: Mapping[str, Node], found: Mistakes) -> dict[str, Node]:
    """Return the policies of a file by name, parents first: what a child inherits is told where it stands.

    Args:
        node: what stands under `policies`.
        below: the policies beneath the file, inherited settings included.
        found: takes the mistakes.
    """
    if node is None or (node.kind == "scalar" and node.plain is None):
        return {}
    if node.kind != "mapping":
        found.add(node, "policies", "expected a mapping of policies by name")
        return {}
    if len(node.value) > _MOST:
        found.add(node, "policies", f"{len(node.value)} policies: {_MOST} is the most that one file may hold")
        return {}
    own: dict[str, Node] = {}
    for key, value in node.value:
        if key.value in own:
            found.add(key, f"policies.{key.value}", "stands here twice")
        elif value.kind == "mapping":
            own[key.value] = value
        elif value.plain is None and not value.is_reported:
            own[key.value] = Node([], key.line, key.column, "mapping", False, key.file)
        else:
            found.add(value, f"policies.{key.value}", "expected a mapping of settings")
    return _Family(own, below, found).all()


class _Family:
    """The policies of one file while they are put together."""

    def __init__(self, own: Mapping[str, Node], below: Mapping[str, Node], found: Mistakes) -> None:
        self._own = own
        self._below = below
        self._found = found
        self._done: dict[str, Node] = {}
        self._sizes: dict[int, int] = {}
        self._left = 2 * MAX_NODES

    def all(self) -> dict[str, Node]:
        for name in self._own:
            self._resolve(name, [])
        return self._done

    def _resolve(self, name: str, way: list[str]) -> Node:
        if name in self._done:
            return self._done[name]
        node = self._own[name]
        under = self._parent(name, node, way)
        whole = merged(_inherited(under, node), node)
        self._left -= self._size(whole)
        if self._left < 0:
            path, told = f"policies.{name}.extends", "inherits more than a file may hold: that is no policy file"
            self._found.add(parent_of(node) or node, path, told)
            self._found.end()
        self._done[name] = whole
        return whole

    def _parent(self, name: str, node: Node, way: list[str]) -> Node | None:
        parent = parent_of(node)
        if parent is None:
            return None
        word = str(parent.value) if parent.kind == "scalar" else ""
        path = f"policies.{name}.extends"
        if word not in self._own or (word == name and word in self._below):
            if word not in self._below:
                known = sorted({*self._own, *self._below} - {name})
                told = f"{parent.mask} is no policy" if parent.mask else f"no policy {word!r}"
                self._found.add(parent, path, f"{told}; {self._found.hint('' if parent.mask else word, known)}")
            return self._below.get(word)
        if word in (*way, name):
            self._found.add(parent, path, f"runs in a circle: {' -> '.join((*way, name, word))}")
            return None
        if len(way) >= MAX_DEPTH:
            self._found.add(parent, path, f"inherits through more than {MAX_DEPTH} policies")
            return None
        return self._resolve(word, [*way, name])

    def _size(self, node: Node) -> int:
        """Return how many values a node holds, what aliases repeat included; counted once for each node."""
        known = self._sizes.get(id(node))
        if known is None:
            inside: list[Node] = []
            if node.kind != "scalar":
                inside = node.value if node.kind == "list" else [one for _, one in node.value]
            known = self._sizes[id(node)] = 1 + sum(map(self._size, inside))
        return known


def _inherited(under: Node | None, node: Node) -> Node | None:
    """Return what a parent hands down: its sections, and not its own `extends` or `codes`."""
    if under is None:
        return None
    pairs = [(key, value) for key, value in under.value if key.value not in ("extends", "codes")]
    return Node(pairs, node.line, node.column, "mapping", False, node.file)
