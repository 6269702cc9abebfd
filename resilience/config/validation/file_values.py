"""Validates the settings in a file's nodes; each mistake is reported at its line and column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from pydantic_core import ValidationError

from ..._core.policy.codes import Category
from ..._core.policy.contradictions import WRONG
from ..._core.policy.section import Section, contradictions, unchecked
from ..._core.policy.value_text import listed, one_of
from ..loading.likely_forms import variable_hint
from ..loading.mistakes import Mistakes
from ..loading.nodes import OFF, Node, node_at
from ..loading.secret_values import walk_nodes
from .annotations import Leaf, Others, keys_of_files
from .core_schemas import CoreSchemas
from .likely_places import is_plain, listed_section, place_of, switch_hint

__all__ = ["read_section"]

_NO_LIST = "expected a list"


def read_section(
    kind: type[Section],
    node: Node,
    path: str,
    mistakes: Mistakes,
    *,
    skip: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Read a mapping as the settings of a class; return the valid ones by key.

    Args:
        kind: the class.
        node: the mapping.
        path: its path in messages.
        mistakes: collects the mistakes, and the contradictions between settings without one.
        skip: fields that a file does not have.
        also: keys that the caller reads.
    """
    keys = keys_of_files(kind, skip)
    if node.kind != "mapping":
        mistakes.add(node, path, _expected(kind, keys, node))
        return {}
    reading, before = _Reading(node, path, mistakes), mistakes.count
    values: dict[str, Any] = {}
    try:
        given = mistakes.fields(node, path, (*keys, *also), lambda key: place_of(key, kind))
        values = _STRICT.validator(kind, skip).validate_python(given, context=reading)
    except ValidationError as error:
        reading.report(error)
    if mistakes.count > before:
        values = _LENIENT.validator(kind, skip).validate_python(_for_comparison(node), context=None)
    # A rule that reads a setting which must be given and is not ends, as with one that has a mistake.
    missing = {name: WRONG for name, value in _values_of(unchecked(kind, values)) if value is MISSING}
    for contradiction in contradictions(unchecked(kind, values | missing)):
        reading.report_contradiction(*contradiction)
    return {name: value for name, value in values.items() if value is not WRONG}


def _values_of(settings: Section) -> list[tuple[str, Any]]:
    return [(field.name, getattr(settings, field.name)) for field in fields(settings)]  # type: ignore[arg-type]  # a dataclass


class _Reading:
    """The reading of one section: it knows the path of each node in it, and reports mistakes."""

    def __init__(self, root: Node, path: str, mistakes: Mistakes) -> None:
        self._root = root
        self._path = path
        self._mistakes = mistakes
        # An alias puts one node into several places; its mistakes are reported at the first.
        self._paths = {id(node): below for _, node, below in walk_nodes(root)}

    def fields(self, node: Node, kind: type[Section]) -> dict[str, Node]:
        """Return the values by key; unknown and duplicate keys are mistakes."""
        path = self._full(self._paths[id(node)])
        return self._mistakes.fields(node, path, keys_of_files(kind), lambda key: place_of(key, kind))

    def names(self, node: Node) -> None:
        """Report names that a mapping has twice."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                self._mistakes.add(key, self._full(f"{self._paths[id(node)]}.{key.value}"), "duplicate key")
            seen.add(key.value)

    def report(self, error: ValidationError) -> None:
        """Report the mistakes that pydantic has found, each at its node."""
        for details in error.errors(include_url=False, include_input=False):
            *_, raised = details["ctx"].values()
            node, path = self._root, ""
            for part in details["loc"]:
                node = _inside(node, part)
                path += f"[{part}]" if isinstance(part, int) else f".{part}"
            message = _expected_list(node, details["loc"][-1]) if str(raised) == _NO_LIST else str(raised)
            self._mistakes.add(node, self._full(path.lstrip(".")), message)

    def report_contradiction(self, path: str, message: str, other: str) -> None:
        """Report a contradiction where it can be mended: an inherited setting is right in its own file."""
        node = node_at(self._root, path)
        if node.file != self._root.file and other:
            node, message = node_at(self._root, other), f"{message}; it is inherited: set {path} here too"
        self._mistakes.add(node, self._full(path), message)

    def _full(self, path: str) -> str:
        return ".".join(filter(None, (self._path, path)))


def _inside(node: Node, part: int | str) -> Node:
    if isinstance(part, int):
        item: Node = node.value[part]
        return item
    pairs: list[tuple[Node, Node]] = node.value
    return next(value for key, value in pairs if key.value == part)


def _number(leaf: Leaf, node: Node) -> Any:
    assert leaf.spec is not None
    return leaf.spec.read(node.plain if node.kind == "scalar" else node.value, node.mask)


def _word(leaf: Leaf, node: Node) -> Any:
    if node.kind != "scalar":
        raise ValueError(f"a {node.kind} is not one of {listed(leaf.options)}")
    return one_of(leaf.options, node.value, node.mask)


def _flag(_leaf: Leaf, node: Node) -> bool:
    if not isinstance(node.plain, bool):
        raise ValueError("expected true or false")
    return node.plain


def _text(_leaf: Leaf, node: Node) -> str:
    if node.kind != "scalar" or node.plain in (None, ""):
        raise ValueError("expected a string")
    return str(node.value)


_READERS: Mapping[str, Callable[[Leaf, Node], Any]] = {
    "number": _number,
    "word": _word,
    "category": lambda leaf, node: _word(leaf._replace(options=tuple(Category)), node),
    "flag": _flag,
    "text": _text,
    "anything": lambda _leaf, node: node.plain,
}


class _FileValues:
    """What values look like in a file: nodes."""

    def fields_of(self, kind: type[Section]) -> Mapping[str, Any]:
        return keys_of_files(kind)

    def read(self, leaf: Leaf, node: Node) -> Any:
        try:
            return _READERS[leaf.kind](leaf, node)
        except ValueError as error:
            hint = variable_hint(node.value) if node.kind == "scalar" and not node.mask else ""
            raise ValueError(f"{error}{hint}") from None

    def read_other(self, others: Others, node: Node, read_usual: Callable[[Any], Any]) -> Any:
        return None if others.off and _is_off(node) else read_usual(node)

    def open_section(self, kind: type[Section], node: Node, context: _Reading | None) -> Mapping[str, Node]:
        if node.kind != "mapping":
            raise ValueError(_expected(kind, keys_of_files(kind), node))
        return _for_comparison(node) if context is None else context.fields(node, kind)

    def open_list(self, node: Node) -> list[Node]:
        if _is_off(node):
            return []
        if node.kind != "list":
            raise ValueError(_NO_LIST)
        return list(node.value)

    def open_mapping(self, node: Node, context: _Reading | None) -> Mapping[str, Node]:
        if node.kind != "mapping":
            raise ValueError("expected a mapping by name")
        if context is None:
            return _for_comparison(node)
        context.names(node)
        # Of a name that is there twice the first value counts, as in `Mistakes.fields`.
        values: dict[str, Node] = {}
        for key, value in node.value:
            values.setdefault(key.value, value)
        return values


def _expected(kind: type[Section], keys: Mapping[str, Any], node: Node) -> str:
    """Return what is expected of a section that is no mapping, with the form that was most likely meant."""
    expected = f"expected a mapping with {', '.join(keys)}"
    if node.kind != "scalar" or node.mask:
        return expected
    if hint := switch_hint(kind, node.value):
        return f"{hint}; {expected}"
    meant = _meant(kind, keys, node)
    return f"write {meant}; {expected}" if meant else expected


def _expected_list(node: Node, key: object) -> str:
    """Return that a list is expected, with the form that was most likely meant by a single value."""
    if node.mask:
        return _NO_LIST
    if node.kind == "mapping":
        return f"{_NO_LIST}; write [{{...}}], or - before the first key"
    kind = listed_section(key)
    meant = _meant(kind, keys_of_files(kind), node) if kind is not None else node.value
    return f"{_NO_LIST}; write [{meant}]" if meant else _NO_LIST


def _meant(kind: type[Section], keys: Mapping[str, Any], node: Node) -> str:
    """Return a section with the one setting that takes a value; empty if none does."""
    meant = next((key for key, annotation in keys.items() if is_plain(annotation) and _takes(kind, key, node)), None)
    return f"{{{meant}: {node.value}}}" if meant else ""


def _takes(kind: type[Section], key: str, node: Node) -> bool:
    try:
        _STRICT.validator(kind).validate_python({key: node}, context=None)
    except ValidationError:
        return False
    return True


def _is_off(node: Node) -> bool:
    return node.kind == "scalar" and node.plain in OFF


_TWICE = Node("", 0, 0, "duplicate")
"""No setting takes this. A key that is there twice has no value to compare with others."""


def _for_comparison(node: Node) -> dict[str, Node]:
    counts = Counter(key.value for key, _ in node.value)
    return {key.value: value if counts[key.value] == 1 else _TWICE for key, value in node.value}


_STRICT, _LENIENT = CoreSchemas(_FileValues()), CoreSchemas(_FileValues(), lenient=True)
