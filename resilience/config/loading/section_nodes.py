"""Nodes of a policy file → the settings classes of the core; their own annotations say what is allowed."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ..._core.policy.codes import Category
from ..._core.policy.section import Section, about, hints
from ..._core.policy.units import Spec, listed, one_of
from ...errors import PolicyError
from .mistakes import Mistakes
from .nodes import Node, node_at

__all__ = ["OFF", "in_files", "is_function", "section"]

OFF = (None, "off")
"""What switches a stage off."""


def section(
    kind: type[Section],
    node: Node,
    path: str,
    found: Mistakes,
    *,
    skip: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Read a mapping as one settings class; returns the values that are given and right.

    Args:
        kind: the class.
        node: the mapping.
        path: where it stands.
        found: takes the mistakes.
        skip: fields that a file does not give so.
        also: keys that are read elsewhere.
    """
    if node.kind != "mapping":
        found.add(node, path, f"expected a mapping with {', '.join(_allowed(kind, skip))}")
        return {}
    allowed = _allowed(kind, skip)
    values: dict[str, Any] = {}
    for name, value in found.fields(node, path, (*allowed, *also)).items():
        if name in also:
            continue
        before = found.count
        read = settings(allowed[name], value, f"{path}.{name}" if path else name, found)
        if found.count == before:
            values[name] = read
    return values


def _allowed(kind: type[Section], skip: tuple[str, ...]) -> dict[str, Any]:
    return {name: hint for name, hint in hints(kind).items() if name not in skip and in_files(hint)}


def settings(hint: Any, node: Node, path: str, found: Mistakes) -> Any:
    """Read one value by its annotation; a mistake is noted at the node."""
    options = get_args(hint)
    origin = get_origin(hint)
    if origin is Annotated:
        spec = about(hint, Spec)
        return settings(options[0], node, path, found) if spec is None else _spec(spec, node, path, found)
    if origin in (Union, types.UnionType):
        if type(None) in options and node.kind == "scalar" and node.plain in OFF:
            return None
        inner = [one for one in options if one is not type(None) and not is_function(one)]
        return settings(inner[0], node, path, found)
    if origin is Literal:
        return _one_of(options, node, path, found)
    if origin is Mapping:
        return _named(options[1], node, path, found)
    if origin is tuple:
        return _several(options[0], node, path, found)
    if hint is Any:
        return node.plain
    if hint is Category:
        return _one_of(tuple(Category), node, path, found)
    if hint is bool:
        if isinstance(node.plain, bool):
            return node.plain
        return found.add(node, path, "expected true or false")
    if isinstance(hint, type) and issubclass(hint, Section):
        return _made(hint, node, path, found)
    if node.kind != "scalar" or node.plain in (None, ""):
        return found.add(node, path, "expected a text")
    return str(node.value)


def in_files(hint: Any) -> bool:
    """Tell whether a file can say it: a setting that takes nothing but a function is Python's alone."""
    return not all(one is type(None) or is_function(one) for one in get_args(hint)) or not get_args(hint)


def is_function(hint: Any) -> bool:
    """Tell whether an annotation takes a function, which no file can hold."""
    return str(hint).startswith(("collections.abc.Callable", "typing.Callable"))


def _spec(spec: Spec, node: Node, path: str, found: Mistakes) -> Any:
    try:
        return spec.read(node.plain if node.kind == "scalar" else node.value, node.mask)
    except ValueError as error:
        return found.add(node, path, str(error))


def _one_of(allowed: tuple[Any, ...], node: Node, path: str, found: Mistakes) -> Any:
    if node.kind == "scalar":
        switch = isinstance(node.plain, bool) and bool in map(type, allowed)
        try:
            return one_of(allowed, node.plain if switch else node.value, node.mask)
        except ValueError as error:
            return found.add(node, path, str(error))
    return found.add(node, path, f"a {node.kind} is not one of {listed(allowed)}")


def _several(hint: Any, node: Node, path: str, found: Mistakes) -> Any:
    if node.kind == "scalar" and node.plain in OFF:
        return ()
    if node.kind != "list":
        return found.add(node, path, "expected a list")
    return tuple(settings(hint, one, f"{path}[{place}]", found) for place, one in enumerate(node.value))


def _named(hint: Any, node: Node, path: str, found: Mistakes) -> Any:
    if node.kind != "mapping":
        return found.add(node, path, "expected a mapping of names")
    values: dict[str, Any] = {}
    for key, value in node.value:
        if key.value in values:
            found.add(key, f"{path}.{key.value}", "stands here twice")
        values[str(key.value)] = settings(hint, value, f"{path}.{key.value}", found)
    return values


def _made(kind: type[Section], node: Node, path: str, found: Mistakes) -> Any:
    before = found.count
    values = section(kind, node, path, found)
    if found.count > before:
        return None
    try:
        return kind(**values)
    except PolicyError as error:
        for problem in error.problems:
            found.add(node_at(node, problem.path), f"{path}.{problem.path}".rstrip("."), problem.message)
        return None
