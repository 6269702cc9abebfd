"""Reads the nodes of a policy file into settings classes; a field's annotation says what a value may be."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ..._core.policy.codes import Category
from ..._core.policy.section import Section, about, hints
from ..._core.policy.units import Spec
from ..._core.policy.value_text import listed, one_of
from ...errors import PolicyError
from .mistakes import Mistakes
from .nodes import Node, node_at

__all__ = ["OFF", "in_files", "is_function", "section"]

OFF = (None, "off")
"""The values that switch a stage off."""


def section(
    kind: type[Section],
    node: Node,
    path: str,
    mistakes: Mistakes,
    *,
    skip: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Read a mapping as one settings class; returns the valid values by key.

    Args:
        kind: the class.
        node: the mapping.
        path: its path in messages.
        mistakes: collects the mistakes.
        skip: fields that a file does not have.
        also: keys that the caller reads.
    """
    if node.kind != "mapping":
        mistakes.add(node, path, f"expected a mapping with {', '.join(_allowed(kind, skip))}")
        return {}
    allowed = _allowed(kind, skip)
    values: dict[str, Any] = {}
    for name, value in mistakes.fields(node, path, (*allowed, *also)).items():
        if name in also:
            continue
        before = mistakes.count
        read = settings(allowed[name], value, f"{path}.{name}" if path else name, mistakes)
        # The count grows also for a repeated mistake that is reported once, so a wrong value is never used.
        if mistakes.count == before:
            values[name] = read
    return values


def _allowed(kind: type[Section], skip: tuple[str, ...]) -> dict[str, Any]:
    return {name: hint for name, hint in hints(kind).items() if name not in skip and in_files(hint)}


def settings(hint: Any, node: Node, path: str, mistakes: Mistakes) -> Any:
    """Read one value by its annotation; a mistake is reported at the node."""
    options = get_args(hint)
    origin = get_origin(hint)
    if origin is Annotated:
        spec = about(hint, Spec)
        return settings(options[0], node, path, mistakes) if spec is None else _spec(spec, node, path, mistakes)
    if origin in (Union, types.UnionType):
        if type(None) in options and node.kind == "scalar" and node.plain in OFF:
            return None
        inner = [option for option in options if option is not type(None) and not is_function(option)]
        return settings(inner[0], node, path, mistakes)
    if origin is Literal:
        return _one_of(options, node, path, mistakes)
    if origin is Mapping:
        return _by_name(options[1], node, path, mistakes)
    if origin is tuple:
        return _list(options[0], node, path, mistakes)
    if hint is Any:
        return node.plain
    if hint is Category:
        return _one_of(tuple(Category), node, path, mistakes)
    if hint is bool:
        if isinstance(node.plain, bool):
            return node.plain
        return mistakes.add(node, path, "expected true or false")
    if isinstance(hint, type) and issubclass(hint, Section):
        return _section(hint, node, path, mistakes)
    if node.kind != "scalar" or node.plain in (None, ""):
        return mistakes.add(node, path, "expected a string")
    return str(node.value)


def in_files(hint: Any) -> bool:
    """Return whether a file can have the setting; one that only takes a function is for Python."""
    options = get_args(hint)
    return not options or not all(option is type(None) or is_function(option) for option in options)


def is_function(hint: Any) -> bool:
    """Return whether an annotation is a function type, which a file cannot have."""
    return str(hint).startswith(("collections.abc.Callable", "typing.Callable"))


def _spec(spec: Spec, node: Node, path: str, mistakes: Mistakes) -> Any:
    try:
        return spec.read(node.plain if node.kind == "scalar" else node.value, node.mask)
    except ValueError as error:
        return mistakes.add(node, path, str(error))


def _one_of(allowed: tuple[Any, ...], node: Node, path: str, mistakes: Mistakes) -> Any:
    if node.kind == "scalar":
        try:
            return one_of(allowed, node.value, node.mask)
        except ValueError as error:
            return mistakes.add(node, path, str(error))
    return mistakes.add(node, path, f"a {node.kind} is not one of {listed(allowed)}")


def _list(hint: Any, node: Node, path: str, mistakes: Mistakes) -> Any:
    if node.kind == "scalar" and node.plain in OFF:
        return ()
    if node.kind != "list":
        return mistakes.add(node, path, "expected a list")
    return tuple(settings(hint, item, f"{path}[{index}]", mistakes) for index, item in enumerate(node.value))


def _by_name(hint: Any, node: Node, path: str, mistakes: Mistakes) -> Any:
    if node.kind != "mapping":
        return mistakes.add(node, path, "expected a mapping by name")
    values: dict[str, Any] = {}
    for key, value in node.value:
        if key.value in values:
            mistakes.add(key, f"{path}.{key.value}", "duplicate key")
        values[str(key.value)] = settings(hint, value, f"{path}.{key.value}", mistakes)
    return values


def _section(kind: type[Section], node: Node, path: str, mistakes: Mistakes) -> Any:
    before = mistakes.count
    values = section(kind, node, path, mistakes)
    if mistakes.count > before:
        return None
    try:
        return kind(**values)
    except PolicyError as error:
        # The class checks what fields say to each other; its paths lead to the nodes.
        for problem in error.problems:
            mistakes.add(node_at(node, problem.path), f"{path}.{problem.path}".rstrip("."), problem.message)
        return None
