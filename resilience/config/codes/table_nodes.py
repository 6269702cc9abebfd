"""Reads the nodes of a code table: its rows, its envelope, its texts and its sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..._core.policy.codes import Category, Envelope, Rule
from ..loading.mistakes import Mistakes
from ..loading.nodes import Node
from .envelope_nodes import read_envelope_node
from .node_values import MAX_CODE, items_of, scalar_of

__all__ = ["EXECUTED", "TableContent", "read_table"]

_TOP = ("envelope", "sources", "rules", "texts")
_ROW = ("code", "names", "category", "executed", "hint", "remedy", "legacy", "duplicate", "action")
EXECUTED = ("no", "maybe", "n_a")
"""The values of `executed` in a row."""


class TableContent(NamedTuple):
    """What a code table contains.

    Attributes:
        rules: its rows.
        envelope: how an answer reports an error, or None.
        texts: (substring of a message, code) pairs.
        sources: top-level packages whose exceptions carry the codes.
    """

    rules: list[Rule]
    envelope: Envelope | None
    texts: list[tuple[str, str]]
    sources: list[str]


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
    rules = [rule for rule in map(_rule(mistakes), _rows(mistakes, parts)) if rule is not None]
    codes = {rule.code for rule in rules}
    texts = [pair for pair in (_text(mistakes, node, codes) for node in items_of(mistakes, parts, "texts")) if pair]
    envelope = read_envelope_node(mistakes, parts["envelope"]) if "envelope" in parts else None
    sources = [str(node.value) for node in items_of(mistakes, parts, "sources")]
    mistakes.end()
    return TableContent(rules, envelope, texts, sources)


def _duplicate(first: int, second: int) -> str:
    # A mapping from Python has no lines.
    return f"duplicate code: line {first} has a row for it, line {second} another" if first else "duplicate code"


def _rows(mistakes: Mistakes, parts: Mapping[str, Node]) -> list[Node]:
    """Return the rows, from a list or from a mapping of codes to the other keys of a row."""
    rules = parts.get("rules")
    if rules is None or rules.kind != "mapping":
        return items_of(mistakes, parts, "rules")
    rows = []
    for key, row in rules.value:
        others = row.value if row.kind == "mapping" else [(row, row)]
        code = Node("code", key.line, key.column, file=key.file), key
        rows.append(Node([code, *others], key.line, key.column, "mapping", False, key.file))
    return rows


def _fields(mistakes: Mistakes, code: str, pairs: Mapping[str, Node], path: str) -> Rule:
    """Return the row of a code with its other fields."""
    return Rule(
        code,
        _names(mistakes, pairs.get("names"), path),
        _category(mistakes, pairs.get("category"), path),
        _word(mistakes, pairs.get("executed"), f"{path}.executed", EXECUTED, "maybe"),  # type: ignore[arg-type]
        scalar_of(mistakes, pairs.get("hint"), f"{path}.hint", "none"),
        scalar_of(mistakes, pairs.get("remedy"), f"{path}.remedy", ""),
        _word(mistakes, pairs.get("legacy"), f"{path}.legacy", ("true", "false"), "false") == "true",
        _word(mistakes, pairs.get("duplicate"), f"{path}.duplicate", ("true", "false"), "false") == "true",
        scalar_of(mistakes, pairs.get("action"), f"{path}.action", ""),
    )


def _rule(mistakes: Mistakes) -> Callable[[Node], Rule | None]:
    """Return a function that reads a row and remembers the codes, to report duplicates."""
    seen: dict[str, Node] = {}
    allowed = frozenset(_ROW)

    def read(node: Node) -> Rule | None:
        if node.kind != "mapping":
            mistakes.add(node, "rules", 'expected a row such as {code: "40010", category: retryable, executed: maybe}')
            return None
        pairs = {key.value: value for key, value in node.value}
        if len(pairs) != len(node.value) or not allowed.issuperset(pairs):
            pairs = mistakes.fields(node, "rules", _ROW)
        code = pairs.get("code")
        if code is None or code.kind != "scalar" or code.value == "":
            mistakes.add(code or node, "rules.code", "a row needs a code")
            return None
        path = f"rules[{code.value}]"
        first = seen.setdefault(code.value, code)
        if first is not code:
            mistakes.add(code, path, _duplicate(first.line, code.line))
        if len(code.value) > MAX_CODE or code.value != code.value.strip():
            reason = f"at most {MAX_CODE} characters" if len(code.value) > MAX_CODE else "no spaces around it"
            mistakes.add(code, path, f"this row never matches: a code has {reason}")
        return _fields(mistakes, code.value, pairs, path)

    return read


def _word(mistakes: Mistakes, node: Node | None, path: str, allowed: tuple[str, ...], default: str) -> str:
    word = scalar_of(mistakes, node, path, default)
    if word not in allowed:
        mistakes.add(node, path, f"{word!r} is not one of {', '.join(allowed)}")
        return default
    return word


def _category(mistakes: Mistakes, node: Node | None, path: str) -> Category | None:
    if node is None or (node.kind == "scalar" and not node.quoted and node.value in ("", "null", "~")):
        return None
    word = _word(mistakes, node, f"{path}.category", tuple(Category), Category.FATAL)
    return Category(word)


def _names(mistakes: Mistakes, node: Node | None, path: str) -> tuple[str, ...]:
    if node is None:
        return ()
    if node.kind == "list" and all(item.kind == "scalar" for item in node.value):
        return tuple(item.value for item in node.value)
    mistakes.add(node, f"{path}.names", "expected a list of names")
    return ()


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
