"""Reads the nodes of a code table: its rows, its envelope, its texts and its sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..._core.policy.codes import Category, Envelope, ItemList, Rule
from ..loading.mistakes import Mistakes
from ..loading.nodes import Node

__all__ = ["EXECUTED", "TableContent", "read_table"]

_TOP = ("envelope", "sources", "rules", "texts")
_ROW = ("code", "names", "category", "executed", "hint", "remedy", "legacy", "duplicate", "action")
EXECUTED = ("no", "maybe", "n_a")
"""The values of `executed` in a row."""
_ENVELOPE = ("code", "message", "success", "time", "failures", "always")
_ITEM_LIST = ("at", "code", "message", "key", "mixed")


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


def read_table(root: Node | None, file: str, plain_rows: Mapping[int, Rule] | None = None) -> TableContent:
    """Read the nodes of a code table.

    Args:
        root: the file's nodes; None for an empty file.
        file: the file's name in messages.
        plain_rows: rows that were read without YAML, by line.

    Raises:
        PolicyError: all mistakes in the file.
    """
    mistakes = Mistakes(file)
    if root is None or root.kind != "mapping":
        mistakes.add(root, "", f"expected a mapping with {', '.join(_TOP)}")
        mistakes.end()
    assert root is not None
    parts = mistakes.fields(root, "", _TOP)
    rows = _rows(mistakes, parts)
    rules = [rule for rule in map(_rule(mistakes), rows) if rule is not None]
    if plain_rows and len(rules) == len(rows):
        by_line = {**plain_rows, **{node.line: rule for node, rule in zip(rows, rules, strict=True)}}
        rules = [by_line[line] for line in sorted(by_line)]
    codes = {rule.code for rule in rules}
    texts = [pair for pair in (_text(mistakes, node, codes) for node in _items(mistakes, parts, "texts")) if pair]
    envelope = _envelope(mistakes, parts["envelope"]) if "envelope" in parts else None
    sources = [str(node.value) for node in _items(mistakes, parts, "sources")]
    mistakes.end()
    return TableContent(rules, envelope, texts, sources)


def _items(mistakes: Mistakes, parts: Mapping[str, Node], name: str) -> list[Node]:
    node = parts.get(name)
    if node is None or (node.kind == "scalar" and node.plain is None):
        return []
    if node.kind != "list":
        mistakes.add(node, name, "expected a list")
        return []
    items: list[Node] = node.value
    return items


def _rows(mistakes: Mistakes, parts: Mapping[str, Node]) -> list[Node]:
    """Return the rows, from a list or from a mapping of codes to the other keys of a row."""
    rules = parts.get("rules")
    if rules is None or rules.kind != "mapping":
        return _items(mistakes, parts, "rules")
    rows = []
    for key, row in rules.value:
        others = row.value if row.kind == "mapping" else [(row, row)]
        code = Node("code", key.line, key.column, file=key.file), key
        rows.append(Node([code, *others], key.line, key.column, "mapping", False, key.file))
    return rows


def _rule(mistakes: Mistakes) -> Callable[[Node], Rule | None]:
    """Return a function that reads a row and remembers the codes, to report duplicates."""
    seen: set[str] = set()
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
        if code.value in seen:
            mistakes.add(code, path, "duplicate code")
        seen.add(code.value)
        return Rule(
            code.value,
            _names(mistakes, pairs.get("names"), path),
            _category(mistakes, pairs.get("category"), path),
            _word(mistakes, pairs.get("executed"), f"{path}.executed", EXECUTED, "maybe"),  # type: ignore[arg-type]
            _scalar(mistakes, pairs.get("hint"), f"{path}.hint", "none"),
            _scalar(mistakes, pairs.get("remedy"), f"{path}.remedy", ""),
            _word(mistakes, pairs.get("legacy"), f"{path}.legacy", ("true", "false"), "false") == "true",
            _word(mistakes, pairs.get("duplicate"), f"{path}.duplicate", ("true", "false"), "false") == "true",
            _scalar(mistakes, pairs.get("action"), f"{path}.action", ""),
        )

    return read


def _scalar(mistakes: Mistakes, node: Node | None, path: str, default: str) -> str:
    if node is None:
        return default
    if node.kind != "scalar":
        mistakes.add(node, path, "expected a string")
        return default
    return str(node.value)


def _word(mistakes: Mistakes, node: Node | None, path: str, allowed: tuple[str, ...], default: str) -> str:
    word = _scalar(mistakes, node, path, default)
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


def _text(mistakes: Mistakes, node: Node, codes: set[str]) -> tuple[str, str] | None:
    if node.kind != "list" or len(node.value) != 2 or any(item.kind != "scalar" for item in node.value):
        mistakes.add(node, "texts", "expected a pair: [text, code]")
        return None
    text, code = (str(item.value) for item in node.value)
    if code not in codes:
        mistakes.add(node.value[1], "texts", f"no row has the code {code!r}")
        return None
    return text, code


def _envelope(mistakes: Mistakes, node: Node) -> Envelope | None:
    if node.kind != "mapping":
        mistakes.add(node, "envelope", 'expected a mapping such as {code: code, message: msg, success: ["0"]}')
        return None
    parts = mistakes.fields(node, "envelope", _ENVELOPE)
    if "code" not in parts:
        mistakes.add(node, "envelope.code", "an envelope needs code: the key of the code")
        return None
    return Envelope(
        code=_scalar(mistakes, parts["code"], "envelope.code", ""),
        message=_scalar(mistakes, parts.get("message"), "envelope.message", ""),
        success=frozenset(str(item.value) for item in _items(mistakes, parts, "success")),
        time=_scalar(mistakes, parts.get("time"), "envelope.time", ""),
        failures=_failures(mistakes, parts["failures"]) if "failures" in parts else (),
        always=tuple(str(item.value) for item in _items(mistakes, parts, "always")),
    )


def _failures(mistakes: Mistakes, node: Node) -> tuple[ItemList, ...]:
    """Read the lists of failed items: one mapping, or several that are tried in this order."""
    if node.kind != "list":
        lists = [_item_list(mistakes, node, "envelope.failures")]
    else:
        lists = [_item_list(mistakes, item, f"envelope.failures[{index}]") for index, item in enumerate(node.value)]
    return tuple(item_list for item_list in lists if item_list is not None)


def _item_list(mistakes: Mistakes, node: Node, path: str) -> ItemList | None:
    parts = mistakes.fields(node, path, _ITEM_LIST) if node.kind == "mapping" else {}
    if not {"at", "code"} <= set(parts):
        mistakes.add(node, path, "expected a mapping such as {at: data.failureList, code: errorCode}")
        return None
    mixed = parts.pop("mixed", None)
    if mixed is not None and (mixed.kind != "scalar" or not isinstance(mixed.plain, bool)):
        mistakes.add(mixed, f"{path}.mixed", "expected true or false")
        return None
    text = {name: _scalar(mistakes, parts.get(name), f"{path}.{name}", "") for name in ("at", "code", "message", "key")}
    at = tuple(text["at"].split("."))
    return ItemList(at, text["code"], text["message"], text["key"], mixed is not None and mixed.plain is True)
