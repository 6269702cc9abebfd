"""Reads the nodes of a code table: its rows, envelope, texts, sources, scopes and references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..._core.policy.codes import Envelope, Rule
from ..loading.mistakes import Mistakes
from ..loading.nodes import Node
from .envelope_nodes import read_envelope_node
from .node_values import items_of, pairs_of
from .row_nodes import read_rows

__all__ = ["TableContent", "read_table"]

_TOP = ("envelope", "sources", "scopes", "references", "rules", "texts")


class TableContent(NamedTuple):
    """What a code table contains.

    Attributes:
        rules: its rows.
        envelope: how an answer reports an error, or None.
        texts: (substring of a message, code) pairs.
        sources: top-level packages whose exceptions carry the codes.
        prefixes: the beginnings of URLs, with the scope of each.
        references: what the short names in `source` of the rows stand for.
    """

    rules: list[Rule]
    envelope: Envelope | None
    texts: list[tuple[str, str]]
    sources: list[str]
    prefixes: dict[str, str]
    references: dict[str, str]


def read_table(root: Node | None, file: str) -> TableContent:
    """Read the nodes of a code table.

    Args:
        root: the file's nodes; None for an empty file.
        file: the file's name in messages.

    Raises:
        PolicyError: all mistakes in the file.
    """
    mistakes = Mistakes(file)
    if root is None or root.kind != "mapping":
        mistakes.add(root, "", f"expected a mapping with {', '.join(_TOP)}")
        mistakes.end()
    assert root is not None
    parts = mistakes.fields(root, "", _TOP)
    references = pairs_of(mistakes, parts, "references")
    rules = read_rows(mistakes, parts, references)
    codes = {rule.code for rule in rules}
    texts = [pair for pair in (_text(mistakes, node, codes) for node in items_of(mistakes, parts, "texts")) if pair]
    envelope = read_envelope_node(mistakes, parts["envelope"]) if "envelope" in parts else None
    sources = [str(node.value) for node in items_of(mistakes, parts, "sources")]
    prefixes = _prefixes(mistakes, parts, rules)
    mistakes.end()
    return TableContent(rules, envelope, texts, sources, prefixes, references)


def _prefixes(mistakes: Mistakes, parts: Mapping[str, Node], rules: list[Rule]) -> dict[str, str]:
    """Return the scopes of URLs; a scope that no row has is a mistake."""
    prefixes = pairs_of(mistakes, parts, "scopes")
    known = {scope for rule in rules for scope in rule.scopes}
    for prefix, scope in prefixes.items():
        if scope not in known:
            mistakes.add(parts["scopes"], f"scopes[{prefix}]", f"no row has the scope {scope!r}")
    return prefixes


def _is_pair(node: Node) -> bool:
    """Return whether this is a list of two texts."""
    return node.kind == "list" and len(node.value) == 2 and all(item.kind == "scalar" for item in node.value)


def _text(mistakes: Mistakes, node: Node, codes: set[str]) -> tuple[str, str] | None:
    if not _is_pair(node):
        mistakes.add(node, "texts", "expected a pair: [text, code]")
        return None
    text, code = (str(item.value) for item in node.value)
    if code not in codes:
        mistakes.add(node.value[1], "texts", f"no row has the code {code!r}")
        return None
    return text, code
