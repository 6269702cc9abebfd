"""Resolves `extends`: merges each policy's settings over those of the policy that it extends."""

from __future__ import annotations

from collections.abc import Mapping

from .mistakes import Mistakes
from .nodes import MAX_DEPTH, MAX_NODES, OFF, Node, field_of, merged

__all__ = ["inherited_policies", "lineage_of", "parent_of"]

_MAX_POLICIES = 1_000


def parent_of(node: Node) -> Node | None:
    """Return the value of `extends` in a policy's node, or None."""
    parent = field_of(node, "extends")
    return None if parent is None or (parent.kind == "scalar" and parent.plain in OFF) else parent


def inherited_policies(node: Node | None, below: Mapping[str, Node], mistakes: Mistakes) -> dict[str, Node]:
    """Return the policies of a file by name, merged with what they inherit; parents come first.

    A mistake in an inherited setting is reported once, where the setting is written.

    Args:
        node: the value of `policies`.
        below: the policies of the layers under the file, merged.
        mistakes: collects the mistakes.
    """
    if node is None or (node.kind == "scalar" and node.plain is None):
        return {}
    if node.kind != "mapping":
        mistakes.add(node, "policies", "expected a mapping of policies by name")
        return {}
    if len(node.value) > _MAX_POLICIES:
        mistakes.add(node, "policies", f"{len(node.value)} policies: the maximum per file is {_MAX_POLICIES}")
        return {}
    own: dict[str, Node] = {}
    for key, value in node.value:
        if key.value in own:
            mistakes.add(key, f"policies.{key.value}", "duplicate key")
        elif value.kind == "mapping":
            own[key.value] = value
        elif value.plain is None and not value.is_reported:
            own[key.value] = Node([], key.line, key.column, "mapping", False, key.file)
        else:
            mistakes.add(value, f"policies.{key.value}", "expected a mapping of settings")
    return _Inheritance(own, below, mistakes).resolve_all()


class _Inheritance:
    """Merges the policies of one file."""

    def __init__(self, own: Mapping[str, Node], below: Mapping[str, Node], mistakes: Mistakes) -> None:
        self._own = own
        self._below = below
        self._mistakes = mistakes
        self._merged: dict[str, Node] = {}
        self._sizes: dict[int, int] = {}
        # Each file is bounded, but inheritance multiplies: 900 policies may extend one with 3,000 quota entries.
        self._nodes_left = 2 * MAX_NODES

    def resolve_all(self) -> dict[str, Node]:
        for name in self._own:
            self._resolve(name, [])
        return self._merged

    def _resolve(self, name: str, children: list[str]) -> Node:
        if name in self._merged:
            return self._merged[name]
        node = self._own[name]
        parent = self._parent(name, node, children)
        whole = merged(_inherited(parent, node), node)
        self._nodes_left -= self._size(whole)
        if self._nodes_left < 0:
            path, message = f"policies.{name}.extends", f"the policies inherit more than {2 * MAX_NODES} values"
            self._mistakes.add(parent_of(node) or node, path, message)
            self._mistakes.end()
        self._merged[name] = whole
        return whole

    def _parent(self, name: str, node: Node, children: list[str]) -> Node | None:
        parent = parent_of(node)
        if parent is None:
            return None
        word = str(parent.value) if parent.kind == "scalar" else ""
        path = f"policies.{name}.extends"
        # A policy may replace a built-in one and extend it at the same time: `bitget: {extends: bitget}`.
        if word not in self._own or (word == name and word in self._below):
            if word not in self._below:
                known = sorted({*self._own, *self._below} - {name})
                message = f"{parent.mask} is not a policy" if parent.mask else f"no policy {word!r}"
                self._mistakes.add(
                    parent, path, f"{message}; {self._mistakes.hint('' if parent.mask else word, known)}"
                )
            return self._below.get(word)
        if word in (*children, name):
            self._mistakes.add(parent, path, f"inherits from itself: {' -> '.join((*children, name, word))}")
            return None
        if len(children) >= MAX_DEPTH:
            self._mistakes.add(parent, path, f"inherits through more than {MAX_DEPTH} policies")
            return None
        return self._resolve(word, [*children, name])

    def _size(self, node: Node) -> int:
        """Return the number of values in a node, aliases expanded; computed once per node."""
        size = self._sizes.get(id(node))
        if size is None:
            inside: list[Node] = []
            if node.kind != "scalar":
                inside = node.value if node.kind == "list" else [value for _, value in node.value]
            # Keyed by identity: nodes are not hashable, and aliases share them.
            size = self._sizes[id(node)] = 1 + sum(map(self._size, inside))
        return size


def _inherited(parent: Node | None, node: Node) -> Node | None:
    """Return the settings that a child inherits: all but `extends` and `codes`."""
    if parent is None:
        return None
    pairs = [(key, value) for key, value in parent.value if key.value not in ("extends", "codes")]
    return Node(pairs, node.line, node.column, "mapping", False, node.file)


def lineage_of(name: str | None, nodes: Mapping[str, Node]) -> list[str]:
    """Return the names of a policy and of all policies that it extends."""
    names: list[str] = []
    while name is not None and name in nodes and name not in names:
        names.append(name)
        parent = parent_of(nodes[name])
        name = str(parent.value) if parent is not None else None
    return names
