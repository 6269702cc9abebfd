"""Reads YAML into a tree of nodes, safely: no tags and no constructors; size, depth and number of values are bounded.

This is the only module that imports yaml.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import PolicyError, Problem
from .likely_forms import syntax_hint
from .nodes import MAX_DEPTH, MAX_LENGTH, MAX_NODES, Node

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["read_file", "read_text"]

_MAX_BYTES = 1_000_000
# Explicit tags of plain types are harmless; any other tag could construct objects in other readers.
_TAGS = ("!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")))


def read_file(path: str | os.PathLike[str] | Traversable) -> Node | None:
    """Read a file with one document, which may be in a zip; returns None for an empty one.

    Raises:
        PolicyError: the file cannot be read or is not valid YAML, with line and column.
    """
    file_path: Any = Path(path) if isinstance(path, (str, os.PathLike)) else path
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else str(path)
    if not name:
        raise _error("no file", 0, 0, "the path is empty")
    try:
        with file_path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PolicyError.of([Problem(name, 0, 0, "", f"cannot be read: {reason}")]) from None
    return read_text(raw, name)


def read_text(raw: bytes | str, name: str) -> Node | None:
    """Read a text with one document; returns None for an empty one.

    Raises:
        PolicyError: the text is too large, not UTF-8 or not valid YAML.
    """
    if len(raw) > _MAX_BYTES:
        raise _error(name, 0, 0, f"larger than {_MAX_BYTES} bytes")
    if isinstance(raw, bytes):
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _error(name, *_position(raw, error.start), "not UTF-8") from None
    else:
        text = raw
    return _Reader(text, name).document()


def _position(raw: bytes, offset: int) -> tuple[int, int]:
    """Return line and column of a byte; invalid bytes before it on its line count as one character each."""
    before = raw[:offset]
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return before.count(b"\n") + 1, column


def _error(name: str, line: int, column: int, message: str) -> PolicyError:
    return PolicyError.of([Problem(name, line, column, "", message)])


def _is_null(node: Node) -> bool:
    return node.kind == "scalar" and not node.quoted and node.plain is None


class _Reader:
    """Builds nodes from yaml's events in one pass. Most of the time of loading a code table is spent here."""

    def __init__(self, text: str, name: str) -> None:
        import yaml

        self._name = name
        self._next = _events(text, name).__next__
        self._scalar, self._alias_event = yaml.ScalarEvent, yaml.AliasEvent
        self._list, self._list_end = yaml.SequenceStartEvent, yaml.SequenceEndEvent
        self._mapping_end = yaml.MappingEndEvent
        self._outer = (yaml.StreamStartEvent, yaml.DocumentStartEvent, yaml.DocumentEndEvent)
        self._end = yaml.StreamEndEvent
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._count = 0

    def document(self) -> Node | None:
        root: Node | None = None
        while (event := self._next()).__class__ is not self._end:
            if isinstance(event, self._outer):
                continue
            if root is not None:
                raise self._wrong(event, "a second document: a file may contain only one")
            root = self._node(event, 0)
        return None if root is None or _is_null(root) else root

    def _node(self, event: Any, depth: int) -> Node:
        kind = event.__class__
        before = self._count
        self._count = before + 1
        if before >= MAX_NODES:
            raise self._wrong(event, f"more than {MAX_NODES} values")
        if kind is self._alias_event:
            return self._alias(event)
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        if kind is self._scalar:
            if len(event.value) > MAX_LENGTH:
                raise self._wrong(event, f"a value of more than {MAX_LENGTH} characters")
            node = Node(event.value, line, column, "scalar", not event.implicit[0], self._name)
        elif depth >= MAX_DEPTH:
            raise self._wrong(event, f"nested more than {MAX_DEPTH} levels deep")
        elif kind is self._list:
            node = Node(self._items(depth + 1), line, column, "list", False, self._name)
        else:
            node = Node(self._pairs(depth + 1), line, column, "mapping", False, self._name)
        if event.tag is not None and event.tag not in _TAGS:
            raise self._wrong(event, f"the tag {event.tag} is not allowed; write plain values")
        if event.anchor:
            # The size is kept so that each alias counts it again: that bounds "billion laughs" documents.
            self._anchors[event.anchor] = node, self._count - before
        return node

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            raise self._wrong(event, f"no anchor &{event.anchor} before this alias")
        node, size = self._anchors[event.anchor]
        self._count += size
        if self._count > MAX_NODES:
            raise self._wrong(event, f"aliases expand to more than {MAX_NODES} values")
        return node

    def _items(self, depth: int) -> list[Node]:
        items, end = [], self._list_end
        while (event := self._next()).__class__ is not end:
            items.append(self._node(event, depth))
        return items

    def _pairs(self, depth: int) -> list[tuple[Node, Node]]:
        pairs, end = [], self._mapping_end
        while (event := self._next()).__class__ is not end:
            key = self._node(event, depth)
            if key.kind != "scalar":
                raise self._wrong(event, "a key must be a string")
            pairs.append((key, self._node(self._next(), depth)))
        return pairs

    def _wrong(self, event: Any, message: str) -> PolicyError:
        mark = event.start_mark
        return _error(self._name, mark.line + 1, mark.column + 1, message)


def _syntax_error(name: str, error: Any, text: str) -> PolicyError:
    """Return the error for a marked one of yaml's, with what was most likely meant."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    problem = error.problem or error.context or "syntax error"
    hint = syntax_hint(problem, text.split("\n")[line - 1]) if 0 < line <= text.count("\n") + 1 else ""
    return _error(name, line, column, f"not YAML: {hint or problem}")


def _events(text: str, name: str) -> Iterator[Any]:
    import yaml

    # The C parser is several times as fast; a pure-Python build of yaml does not have it.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(name, error, text) from None
    except (yaml.YAMLError, ValueError) as error:
        offset = getattr(error, "position", 0)  # the position of a character that YAML does not allow
        line, column = _position(text.encode("utf-8", "replace"), offset)
        raise _error(name, line, column, f"not YAML: {(str(error).splitlines() or ['unreadable'])[0]}") from None
