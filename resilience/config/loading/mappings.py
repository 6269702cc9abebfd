"""Converts a Python mapping to nodes without positions, so that the file loader reads it too."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

from ...errors import PolicyError
from .nodes import MAX_DEPTH, MAX_LENGTH, MAX_NODES, Node

__all__ = ["as_node"]


def as_node(value: Any) -> Node:
    """Return a mapping as nodes.

    Raises:
        PolicyError: it is too deeply nested (it may contain itself) or too large.
    """
    return _node(value, 0, count(1))


def _node(value: Any, depth: int, number: count[int]) -> Node:
    if depth > MAX_DEPTH:
        raise PolicyError(f"nested more than {MAX_DEPTH} levels deep")
    if next(number) > MAX_NODES:
        raise PolicyError(f"more than {MAX_NODES} values")
    if isinstance(value, Mapping):
        pairs = [(_scalar(str(key), quoted=True), _node(item, depth + 1, number)) for key, item in value.items()]
        return Node(pairs, 0, 0, "mapping")
    if isinstance(value, (list, tuple, set, frozenset)):
        return Node([_node(item, depth + 1, number) for item in value], 0, 0, "list")
    if isinstance(value, bool):
        return Node("true" if value else "false", 0, 0)
    return _scalar("" if value is None else _text(value), quoted=isinstance(value, str))


def _scalar(text: str, *, quoted: bool) -> Node:
    if len(text) > MAX_LENGTH:
        raise PolicyError(f"a value of more than {MAX_LENGTH} characters")
    return Node(text, 0, 0, quoted=quoted)


def _text(value: Any) -> str:
    try:
        return str(value)
    except ValueError as error:  # Python refuses to print integers of several thousand digits
        raise PolicyError(f"a value that cannot be printed: {error}") from None
