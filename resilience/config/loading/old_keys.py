"""Rewrites the keys of version 0.1 in a file's nodes to the new ones, before policies inherit from each other.

A key is rewritten where it is read, so that an old key in a user's file overrides the new key of a built-in policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ..._core.policy.old_spellings import OldSpelling
from ..._core.policy.policy import Policy
from ..._core.policy.section import Section, hints
from ..._core.policy.value_text import listed
from ..validation.annotations import Leaf, Others, schema_of
from .mistakes import Mistakes
from .nodes import Node

__all__ = ["OldKey", "rewrite_old_keys"]

_Rewrite = Callable[[Node, str], Node]
"""Takes a node and its path, and returns it with new keys only."""


class OldKey(NamedTuple):
    """An old key in a file: its node, its path, and the warning that names the new spelling."""

    node: Node
    path: str
    message: str


def rewrite_old_keys(policies: Node, mistakes: Mistakes) -> tuple[Node, list[OldKey]]:
    """Return the node under `policies` with new keys only, and the old keys that were in it."""
    rewriter = _Rewriter(mistakes)
    if policies.kind != "mapping":
        return policies, []
    pairs = [(key, rewriter.rewrite(Policy, value, f"policies.{key.value}")) for key, value in policies.value]
    return replace(policies, value=pairs), rewriter.old_keys


class _Rewriter:
    """Walks down the settings classes.

    Nodes are copied and never changed: an alias may put one node into two sections, where a key has two meanings.
    """

    def __init__(self, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self.old_keys: list[OldKey] = []

    def rewrite(self, kind: type[Section], node: Node, path: str) -> Node:
        """Return a section with new keys only."""
        if node.kind != "mapping":
            return node
        pairs = (self._pair(kind, node, key, value, path) for key, value in node.value)
        return replace(node, value=[pair for pair in pairs if pair is not None])

    def _pair(self, kind: type[Section], node: Node, key: Node, value: Node, path: str) -> tuple[Node, Node] | None:
        """Return a key and its value in the new spelling; None where the old one is a mistake."""
        path = f"{path}.{key.value}"
        spelling = kind.OLD_SPELLINGS.get(key.value)
        if spelling is None:
            return key, self._renew_value(kind, key.value, value, path)
        conflict = _conflict(spelling, key, node)
        if conflict:
            self._mistakes.add(key, path, conflict)
            return None
        renewed = self._renewed(spelling, value, path)
        if renewed is None:
            return None
        # The value of a secret or of a missing variable is reported already, and has no translation.
        if not value.is_reported:
            self.old_keys.append(OldKey(key, path, spelling.deprecation(_plain(value))))
        return _scalar(spelling.new, key), self._renew_value(kind, spelling.new, renewed, path)

    def _renew_value(self, kind: type[Section], name: str, node: Node, path: str) -> Node:
        hint = hints(kind).get(name)
        return node if hint is None else schema_of(hint, self)(node, path)

    # The builder of `schema_of`: a value is rewritten by its annotation.

    def leaf(self, _leaf: Leaf) -> _Rewrite:
        return _keep

    def section(self, kind: type[Section]) -> _Rewrite:
        return partial(self.rewrite, kind)

    def items(self, item: _Rewrite) -> _Rewrite:
        def rewrite(node: Node, path: str) -> Node:
            if node.kind != "list":
                return node
            return replace(node, value=[item(value, f"{path}[{index}]") for index, value in enumerate(node.value)])

        return rewrite

    def by_name(self, item: _Rewrite) -> _Rewrite:
        def rewrite(node: Node, path: str) -> Node:
            if node.kind != "mapping":
                return node
            return replace(node, value=[(key, item(value, f"{path}.{key.value}")) for key, value in node.value])

        return rewrite

    def choice(self, usual: _Rewrite, _others: Others) -> _Rewrite:
        return usual

    def _renewed(self, spelling: OldSpelling, value: Node, path: str) -> Node | None:
        if not spelling.values or value.is_reported:
            return value
        if value.kind != "scalar":
            message = f"a {value.kind} is not one of {listed(old for old, _ in spelling.values)}"
            self._mistakes.add(value, path, f"{message}; the setting is now {spelling.new}: {spelling.allowed()}")
            return None
        try:
            new = spelling.translate(_plain(value), value.mask)
        except ValueError as error:
            self._mistakes.add(value, path, str(error))
            return None
        return _scalar(str(new).lower() if isinstance(new, bool) else new, value)


def _conflict(spelling: OldSpelling, key: Node, section: Node) -> str:
    """Return why an old key cannot be rewritten: its section has the new one too, or has it twice; else ""."""
    keys = [other.value for other, _ in section.value]
    if spelling.new in keys:
        return spelling.conflict()
    return "duplicate key" if keys.count(key.value) > 1 else ""


def _keep(node: Node, _path: str) -> Node:
    return node


def _plain(node: Node) -> Any:
    """Return a switch as a bool and every other scalar as its text."""
    return node.plain if isinstance(node.plain, bool) else node.value


def _scalar(text: str, node: Node) -> Node:
    # Position and mask stay: mistakes in the new value are reported where the old one is written.
    return replace(node, value=text, kind="scalar", quoted=False)
