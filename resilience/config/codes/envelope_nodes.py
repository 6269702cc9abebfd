"""Reads the envelope of a code table, and rejects one that no answer can match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..._core.policy.answer_envelope import Envelope, ItemList
from ..loading.mistakes import Mistakes
from ..loading.nodes import Node
from .node_values import MAX_CODE, path_of, scalar_of, strings_of

__all__ = ["read_envelope_node"]

_ENVELOPE = ("code", "message", "success", "time", "failures", "always", "general", "ok")
_ITEM_LIST = ("at", "code", "message", "key", "mixed", "ok")
_WHOLE_BODY = "."
"""The value of `at` where the body itself is the list."""


class _Place(NamedTuple):
    """A path of the envelope: what it is for, its node, and its name in messages."""

    path: str
    node: Node
    name: str


def read_envelope_node(mistakes: Mistakes, node: Node) -> Envelope | None:
    """Return the envelope, or None after a mistake."""
    if node.kind != "mapping":
        mistakes.add(node, "envelope", 'expected a mapping such as {code: code, message: msg, success: ["0"]}')
        return None
    parts = mistakes.fields(node, "envelope", _ENVELOPE)
    if "code" not in parts:
        mistakes.add(node, "envelope.code", "an envelope needs code: the key of the code")
        return None
    codes, messages = (_places(mistakes, parts, name) for name in ("code", "message"))
    times, always = _places(mistakes, parts, "time"), _places(mistakes, parts, "always")
    failures, lists = _failures(mistakes, parts["failures"]) if "failures" in parts else ((), [])
    _check_distinct(mistakes, codes, messages, [*times, *always], lists)
    success, general = (_codes(mistakes, parts, name) for name in ("success", "general"))
    ok = _item_key(mistakes, parts.get("ok"), "envelope.ok")
    if not codes:
        return None
    return Envelope(
        code=codes[0].path,
        message=messages[0].path if messages else "",
        success=success,
        time=times[0].path if times else "",
        failures=failures,
        always=tuple(place.path for place in always),
        other_codes=tuple(place.path for place in codes[1:]),
        other_messages=tuple(place.path for place in messages[1:]),
        general=general,
        ok=ok,
    )


def _path_nodes(mistakes: Mistakes, node: Node | None, name: str) -> list[tuple[Node, str]]:
    """Return the nodes of one path, or of a list of them, each with its place in the file."""
    path = f"envelope.{name}"
    if node is None or (node.kind == "scalar" and name == "always" and node.plain is None):
        return []
    if node.kind != "list" or name == "time":
        if name != "always":
            return [(node, path)]
        mistakes.add(node, path, "expected a list")
        return []
    if not node.value and name == "code":
        mistakes.add(node, path, "expected a key such as code, or a path such as error.code")
    return _items(node, path)


def _places(mistakes: Mistakes, parts: Mapping[str, Node], name: str) -> list[_Place]:
    """Read one path, or a list of them; each path once."""
    places: dict[str, _Place] = {}
    for item, item_path in _path_nodes(mistakes, parts.get(name), name):
        text = path_of(mistakes, item, item_path) if name != "message" or item.value != "" else ""
        if text in places:
            mistakes.add(item, item_path, f"{text} is in the list twice")
        elif text:
            places[text] = _Place(text, item, item_path)
    return list(places.values())


def _is_empty_list(node: Node) -> bool:
    return node.kind == "list" and not node.value


def _codes(mistakes: Mistakes, parts: Mapping[str, Node], name: str) -> frozenset[str]:
    """Read the codes that mean success, or the general ones."""
    strings = strings_of(mistakes, parts, name, f"envelope.{name}")
    node = parts.get(name)
    if node is not None and _is_empty_list(node):
        mistakes.add(node, f"envelope.{name}", 'no code: name some, such as ["0"], or leave it out')
    for text, item in strings:
        if len(text) > MAX_CODE or text != text.strip():
            mistakes.add(item, f"envelope.{name}", f"never matches: {_code_rule(text)}")
    return frozenset(text for text, _ in strings)


def _code_rule(text: str) -> str:
    return "a code has no spaces around it" if len(text) <= MAX_CODE else f"a code has at most {MAX_CODE} characters"


def _check_distinct(
    mistakes: Mistakes,
    codes: Sequence[_Place],
    messages: Sequence[_Place],
    others: Sequence[_Place],
    lists: Sequence[_Place],
) -> None:
    """Report a path that is, or lies inside, the place of a code or a message: one value cannot be both."""
    for word, taken, rest in (("code", codes, (*messages, *others, *lists)), ("message", messages, (*others, *lists))):
        for first in taken:
            if word == "message" and first.path in [code.path for code in codes]:
                continue  # reported as the code
            for place in rest:
                is_always = place.name.startswith("envelope.always")
                # Of several places one has to be there; `always` may name the one that is there in any case.
                if place.path == first.path and not (is_always and len(taken) > 1):
                    text = f"{place.path} is the {word} already ({first.name}): {_advice(is_always)}"
                    mistakes.add(place.node, place.name, text)
                elif word == "code" and place.path.startswith(f"{first.path}."):
                    mistakes.add(place.node, place.name, f"lies inside {first.path}, which is the code ({first.name})")


def _advice(is_always: bool) -> str:
    if is_always:
        return "name the fields that every answer has beside code and message"
    return "name another key, or leave this one out"


def _items(node: Node, path: str) -> list[tuple[Node, str]]:
    """Return the items of a list with their paths; a node that is no list stands for its only item."""
    if node.kind == "list":
        return [(item, f"{path}[{index}]") for index, item in enumerate(node.value)]
    return [(node, path)]


def _failures(mistakes: Mistakes, node: Node) -> tuple[tuple[ItemList, ...], list[_Place]]:
    """Read the lists of failed items: one mapping, or several that are tried in this order."""
    lists, places = [], []
    for item, path in _items(node, "envelope.failures"):
        item_list = _item_list(mistakes, item, path)
        if item_list is not None:
            lists.append(item_list)
            at = next(value for key, value in item.value if key.value == "at")
            places.append(_Place(".".join(item_list.at), at, f"{path}.at"))
    return tuple(lists), places


def _item_list(mistakes: Mistakes, node: Node, path: str) -> ItemList | None:
    parts = mistakes.fields(node, path, _ITEM_LIST) if node.kind == "mapping" else {}
    if not {"at", "code"} <= set(parts):
        mistakes.add(node, path, "expected a mapping such as {at: data.failureList, code: errorCode}")
        return None
    mixed = parts.pop("mixed", None)
    if mixed is not None and (mixed.kind != "scalar" or not isinstance(mixed.plain, bool)):
        mistakes.add(mixed, f"{path}.mixed", "expected true or false")
        return None
    at = _steps_to_list(mistakes, parts["at"], f"{path}.at")
    keys = {name: _item_key(mistakes, parts.get(name), f"{path}.{name}") for name in ("code", "message", "key", "ok")}
    return ItemList(at, **keys, mixed=mixed is not None and mixed.plain is True) if at else None


def _steps_to_list(mistakes: Mistakes, node: Node, path: str) -> tuple[str, ...]:
    """Return the keys that lead to a list of items; an empty key stands for the whole body."""
    if node.kind == "scalar" and node.value == _WHOLE_BODY:
        return ("",)
    at = path_of(mistakes, node, path)
    return tuple(at.split(".")) if at else ()


def _item_key(mistakes: Mistakes, node: Node | None, path: str) -> str:
    text = scalar_of(mistakes, node, path, "")
    if node is not None and "." in text:
        mistakes.add(node, path, f"{text!r} has a dot: name one key of an item, and in at the path to the items")
    elif node is not None and path.endswith(".code") and not text:
        mistakes.add(node, path, "no key: expected the key of an item's code, such as errorCode")
    return text
