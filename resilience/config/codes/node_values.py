"""Reads strings, lists of strings and dotted paths from the nodes of a code table."""

from __future__ import annotations

from collections.abc import Mapping

from ..loading.mistakes import Mistakes
from ..loading.nodes import Node

__all__ = ["MAX_CODE", "MAX_TEXT", "items_of", "pairs_of", "path_of", "scalar_of", "strings_of"]

MAX_CODE = 100
"""The maximum number of characters of a code; a longer text in a body is never read as one."""
MAX_TEXT = 200
"""The maximum number of characters of a row that a message finds."""


def items_of(mistakes: Mistakes, parts: Mapping[str, Node], name: str) -> list[Node]:
    """Return the items of a list; none where it is absent or empty."""
    node = parts.get(name)
    if node is None or (node.kind == "scalar" and node.plain is None):
        return []
    if node.kind != "list":
        mistakes.add(node, name, "expected a list")
        return []
    items: list[Node] = node.value
    return items


def pairs_of(mistakes: Mistakes, parts: Mapping[str, Node], name: str) -> dict[str, str]:
    """Return a mapping of strings to strings; none where it is absent or empty."""
    node = parts.get(name)
    if node is None or (node.kind == "scalar" and node.plain is None):
        return {}
    if node.kind != "mapping":
        mistakes.add(node, name, "expected a mapping of strings")
        return {}
    pairs: dict[str, str] = {}
    for key, value in node.value:
        if value.kind != "scalar" or value.value == "":
            mistakes.add(value, f"{name}[{key.value}]", "expected a string")
        elif key.value in pairs:
            mistakes.add(key, f"{name}[{key.value}]", "duplicate key")
        pairs.setdefault(str(key.value), str(value.value))
    return pairs


def scalar_of(mistakes: Mistakes, node: Node | None, path: str, default: str) -> str:
    """Return the text of a scalar, else the default."""
    if node is None:
        return default
    if node.kind != "scalar":
        mistakes.add(node, path, "expected a string")
        return default
    return str(node.value)


def strings_of(mistakes: Mistakes, parts: Mapping[str, Node], name: str, path: str) -> list[tuple[str, Node]]:
    """Return the strings of a list with their nodes; an item of another kind and an empty one are mistakes."""
    strings = []
    for index, node in enumerate(items_of(mistakes, parts, name)):
        text = scalar_of(mistakes, node, f"{path}[{index}]", "") if node.kind == "scalar" else ""
        if text and (node.quoted or node.plain is not None):
            strings.append((text, node))
        else:
            mistakes.add(node, f"{path}[{index}]", "expected a string")
    return strings


def _plain_path(text: str) -> str:
    """Return a path without what other notations add to it: `$.rows[0].code` is `rows.code`."""
    keys = (key.strip().partition("[")[0] for key in text.split("."))
    return ".".join(key for key in keys if key not in ("", "$", "*"))


def path_of(mistakes: Mistakes, node: Node | None, path: str) -> str:
    """Return a dotted path such as `error.code`, or an empty string; a path that matches no body is a mistake."""
    text = scalar_of(mistakes, node, path, "")
    if node is None or node.kind != "scalar":
        return ""
    plain = _plain_path(text)
    if text and plain == text:
        return text
    mistakes.add(node, path, _path_mistake(text, plain))
    return ""


def _path_mistake(text: str, plain: str) -> str:
    right = f"write {plain}" if plain else "expected a key such as code, or a path such as error.code"
    if text.startswith("$") or "[" in text or "*" in text.split("."):
        return f"{text!r} is JSONPath: {right}. A path goes into each item of a list by itself"
    if not text.strip("."):
        return f"no key: {right}"
    return f"{text!r} has an empty key or spaces around one: {right}"
