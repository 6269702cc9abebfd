"""Code tables from files: rows in YAML become a `CodeRegistry`; adding a code is a row and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any

from ..._core.policy import codes as core
from ..._core.policy.codes import Category, Envelope, ItemList, Rule
from ...errors import PolicyError
from ..loading.mappings import as_node
from ..loading.mistakes import Mistakes
from ..loading.nodes import Node
from ..loading.shipped_files import shipped
from ..loading.yaml_reader import read_file, read_text
from .row_reader import take_rows

__all__ = ["EXECUTED", "CodeRegistry", "builtin_names", "is_known", "shipped_names"]

_TOP = ("envelope", "sources", "rules", "texts")
_ROW = ("code", "names", "category", "executed", "hint", "remedy", "legacy", "duplicate", "action")
EXECUTED = ("no", "maybe", "n_a")
"""What a row may say of whether the request took effect."""
_ENVELOPE = ("code", "message", "success", "time", "failures")
_LISTED = ("at", "code", "message", "key", "mixed")
_GROUP = "resilience.registries"


class CodeRegistry(core.CodeTable):
    """The codes of one API, with the ways in from files.

    Example:
        >>> CodeRegistry.builtin("bitget").rule("43012").names
        ('INSUFFICIENT_BALANCE',)
    """

    __slots__ = ()

    @classmethod
    def builtin(cls, name: str) -> CodeRegistry:
        """Return a registry that is shipped or installed; read once per process.

        Raises:
            PolicyError: there is none of that name; the message lists those that there are.
        """
        with _lock:
            found = _loaded.get(name)
            if found is None:
                found = _loaded[name] = _builtin(name)
        return found

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CodeRegistry:
        """Read a code table; its name is the file's.

        Raises:
            PolicyError: every mistake in it, with file, line and column.
        """
        return _table(Path(path).stem, read_file(path), os.fspath(path))

    @classmethod
    def from_mapping(cls, name: str, mapping: Mapping[str, Any]) -> CodeRegistry:
        """Take what a file would hold as a mapping.

        Raises:
            PolicyError: every mistake in it.
        """
        return _table(name, as_node(mapping), f"<{name}>")


_lock = RLock()  # an entry point may ask for another table while it is loaded
_loaded: dict[str, CodeRegistry] = {}


@cache
def builtin_names() -> tuple[str, ...]:
    """Return the names of the registries that are shipped or installed by others, sorted."""
    return tuple(sorted(shipped_names() | set(_others())))


def is_known(name: str) -> bool:
    """Tell whether a registry of this name is there; those of others are looked for only when it is not shipped."""
    return name in shipped_names() or name in _others()


@cache
def shipped_names() -> frozenset[str]:
    """Return the names of the registries that are shipped, whatever else is installed."""
    return frozenset(path.stem for path in shipped("codes").glob("*.yaml"))


@cache
def _others() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=_GROUP)}


def _builtin(name: str) -> CodeRegistry:
    if not is_known(name):
        near = get_close_matches(name, builtin_names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise PolicyError(f"no code registry {name!r}; there are {', '.join(builtin_names())}{hint}")
    if name in shipped_names():
        return _shipped_table(name, shipped(f"codes/{name}.yaml"))
    found = _others()[name].load()
    found = found() if callable(found) else found
    if isinstance(found, Mapping):
        return CodeRegistry.from_mapping(name, found)
    return found if isinstance(found, CodeRegistry) else CodeRegistry.load(found)


def _shipped_table(name: str, path: Path) -> CodeRegistry:
    text, rows = take_rows(path.read_text("utf-8"))
    return _table(name, read_text(text, str(path)), str(path), rows)


def _table(name: str, root: Node | None, file: str, taken: Mapping[int, Rule] | None = None) -> CodeRegistry:
    """Make a registry of a file's nodes, and of rows taken out before by line; every mistake at once."""
    found = Mistakes(file)
    if root is None or root.kind != "mapping":
        found.add(root, "", f"expected a mapping with {', '.join(_TOP)}")
        found.end()
    assert root is not None
    parts = found.fields(root, "", _TOP)
    rows = _rows(found, parts)
    rules = [rule for rule in map(_rule(found), rows) if rule is not None]
    if taken and len(rules) == len(rows):
        placed = {**taken, **{node.line: rule for node, rule in zip(rows, rules, strict=True)}}
        rules = [placed[line] for line in sorted(placed)]
    codes = {rule.code for rule in rules}
    texts = [pair for pair in (_text(found, node, codes) for node in _items(found, parts, "texts")) if pair]
    envelope = _envelope(found, parts["envelope"]) if "envelope" in parts else None
    sources = [str(node.value) for node in _items(found, parts, "sources")]
    found.end()
    return CodeRegistry(name, rules, envelope=envelope, texts=texts, sources=sources)


def _items(found: Mistakes, parts: Mapping[str, Node], name: str) -> list[Node]:
    node = parts.get(name)
    if node is None or (node.kind == "scalar" and node.plain is None):
        return []
    if node.kind != "list":
        found.add(node, name, "expected a list")
        return []
    items: list[Node] = node.value
    return items


def _rows(found: Mistakes, parts: Mapping[str, Node]) -> list[Node]:
    """Return the rows: a list of them, or a mapping of codes to what else a row says."""
    rules = parts.get("rules")
    if rules is None or rules.kind != "mapping":
        return _items(found, parts, "rules")
    rows = []
    for key, row in rules.value:
        inside = row.value if row.kind == "mapping" else [(row, row)]
        code = Node("code", key.line, key.column, file=key.file), key
        rows.append(Node([code, *inside], key.line, key.column, "mapping", False, key.file))
    return rows


def _rule(found: Mistakes) -> Callable[[Node], Rule | None]:
    """Return the reader of one row; it remembers the codes that it has seen."""
    seen: set[str] = set()
    allowed = frozenset(_ROW)

    def read(node: Node) -> Rule | None:
        if node.kind != "mapping":
            found.add(node, "rules", 'expected a row such as {code: "40010", category: retryable, executed: maybe}')
            return None
        pairs = {key.value: value for key, value in node.value}
        if len(pairs) != len(node.value) or not allowed.issuperset(pairs):
            pairs = found.fields(node, "rules", _ROW)
        code = pairs.get("code")
        if code is None or code.kind != "scalar" or code.value == "":
            found.add(code or node, "rules.code", "a row needs a code")
            return None
        path = f"rules[{code.value}]"
        if code.value in seen:
            found.add(code, path, "the code stands in an earlier row")
        seen.add(code.value)
        return Rule(
            code.value,
            _names(found, pairs.get("names"), path),
            _category(found, pairs.get("category"), path),
            _word(found, pairs.get("executed"), f"{path}.executed", EXECUTED, "maybe"),  # type: ignore[arg-type]
            _scalar(found, pairs.get("hint"), f"{path}.hint", "none"),
            _scalar(found, pairs.get("remedy"), f"{path}.remedy", ""),
            _word(found, pairs.get("legacy"), f"{path}.legacy", ("true", "false"), "false") == "true",
            _word(found, pairs.get("duplicate"), f"{path}.duplicate", ("true", "false"), "false") == "true",
            _scalar(found, pairs.get("action"), f"{path}.action", ""),
        )

    return read


def _scalar(found: Mistakes, node: Node | None, path: str, default: str) -> str:
    if node is None:
        return default
    if node.kind != "scalar":
        found.add(node, path, "expected a text")
        return default
    return str(node.value)


def _word(found: Mistakes, node: Node | None, path: str, allowed: tuple[str, ...], default: str) -> str:
    word = _scalar(found, node, path, default)
    if word not in allowed:
        found.add(node, path, f"{word!r} is not one of {', '.join(allowed)}")
        return default
    return word


def _category(found: Mistakes, node: Node | None, path: str) -> Category | None:
    if node is None or (node.kind == "scalar" and not node.quoted and node.value in ("", "null", "~")):
        return None
    word = _word(found, node, f"{path}.category", tuple(Category), Category.FATAL)
    return Category(word)


def _names(found: Mistakes, node: Node | None, path: str) -> tuple[str, ...]:
    if node is None:
        return ()
    if node.kind == "list" and all(one.kind == "scalar" for one in node.value):
        return tuple(one.value for one in node.value)
    found.add(node, f"{path}.names", "expected a list of names")
    return ()


def _text(found: Mistakes, node: Node, codes: set[str]) -> tuple[str, str] | None:
    if node.kind != "list" or len(node.value) != 2 or any(one.kind != "scalar" for one in node.value):
        found.add(node, "texts", "expected a pair: [text, code]")
        return None
    text, code = (str(one.value) for one in node.value)
    if code not in codes:
        found.add(node.value[1], "texts", f"no row has the code {code!r}")
        return None
    return text, code


def _envelope(found: Mistakes, node: Node) -> Envelope | None:
    if node.kind != "mapping":
        found.add(node, "envelope", 'expected a mapping such as {code: code, message: msg, success: ["0"]}')
        return None
    parts = found.fields(node, "envelope", _ENVELOPE)
    if "code" not in parts:
        found.add(node, "envelope.code", "an envelope needs the name of the key that holds the code")
        return None
    return Envelope(
        code=_scalar(found, parts["code"], "envelope.code", ""),
        message=_scalar(found, parts.get("message"), "envelope.message", ""),
        success=frozenset(str(one.value) for one in _items(found, parts, "success")),
        time=_scalar(found, parts.get("time"), "envelope.time", ""),
        failures=_failures(found, parts["failures"]) if "failures" in parts else (),
    )


def _failures(found: Mistakes, node: Node) -> tuple[ItemList, ...]:
    """Read where failed items are listed: one place, or a list of places that are looked at in this order."""
    if node.kind != "list":
        read = [_listed(found, node, "envelope.failures")]
    else:
        read = [_listed(found, one, f"envelope.failures[{place}]") for place, one in enumerate(node.value)]
    return tuple(one for one in read if one is not None)


def _listed(found: Mistakes, node: Node, path: str) -> ItemList | None:
    parts = found.fields(node, path, _LISTED) if node.kind == "mapping" else {}
    if not {"at", "code"} <= set(parts):
        found.add(node, path, "expected a mapping such as {at: data.failureList, code: errorCode}")
        return None
    mixed = parts.pop("mixed", None)
    if mixed is not None and (mixed.kind != "scalar" or not isinstance(mixed.plain, bool)):
        found.add(mixed, f"{path}.mixed", "expected true or false")
        return None
    told = {name: _scalar(found, parts.get(name), f"{path}.{name}", "") for name in ("at", "code", "message", "key")}
    at = tuple(told["at"].split("."))
    return ItemList(at, told["code"], told["message"], told["key"], mixed is not None and mixed.plain is True)
