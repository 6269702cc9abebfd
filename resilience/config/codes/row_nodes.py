"""Reads the rows of a code table from their nodes. The key of a row is (scope, code)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from ..._core.policy.codes import Category, Rule
from ..loading.mistakes import Mistakes
from ..loading.nodes import Node
from .node_values import MAX_CODE, MAX_TEXT, items_of, scalar_of

__all__ = ["EXECUTED", "MATCH", "read_rows"]

_ROW = (
    "code", "names", "category", "executed", "hint", "remedy", "legacy", "duplicate", "action",
    "scope", "match", "source",
)  # fmt: skip
EXECUTED = ("no", "maybe", "n_a")
"""The values of `executed` in a row."""
MATCH = ("exact", "part")
"""The values of `match` in a row that a message finds."""
_MIN_PART = 4  # characters; a shorter text is a part of anything


def read_rows(mistakes: Mistakes, parts: Mapping[str, Node], references: Collection[str]) -> list[Rule]:
    """Return the rows of a table.

    Args:
        mistakes: collects what is wrong.
        parts: the table's nodes by their names.
        references: the short names that `source` of a row may have.
    """
    return [rule for rule in map(_rule_reader(mistakes, references), _rows(mistakes, parts)) if rule is not None]


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


def _rule_reader(mistakes: Mistakes, references: Collection[str]) -> Callable[[Node], Rule | None]:
    """Return a function that reads a row and remembers the codes, to report duplicates."""
    seen: dict[tuple[str, str], Node] = {}
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
        rule = _fields(mistakes, code.value, pairs, path)
        for scope in rule.scopes or ("all",):
            first = seen.setdefault((code.value, scope), code)
            if first is not code:
                mistakes.add(code, path, _duplicate(first.line, code.line, rule.scopes))
                break
        _check_code(mistakes, code, path, rule.match)
        for name in rule.source:
            if name not in references:
                mistakes.add(pairs["source"], f"{path}.source", f"references has no {name!r}")
        return rule

    return read


def _duplicate(first: int, second: int, scopes: tuple[str, ...]) -> str:
    kind = "duplicate scope and code" if scopes else "duplicate code"
    # A mapping from Python has no lines.
    return f"{kind}: line {first} has a row for it, line {second} another" if first else kind


def _check_code(mistakes: Mistakes, code: Node, path: str, match: str) -> None:
    """Report a row that nothing finds, or everything."""
    most, what = (MAX_TEXT, "text") if match else (MAX_CODE, "code")
    if len(code.value) > most:
        mistakes.add(code, path, f"this row never matches: a {what} has at most {most} characters")
    elif code.value != code.value.strip():
        mistakes.add(code, path, f"this row never matches: a {what} has no spaces around it")
    elif match == "part" and len(code.value) < _MIN_PART:
        mistakes.add(code, path, f"a part of a message has at least {_MIN_PART} characters")


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
        _joined(mistakes, pairs.get("scope"), f"{path}.scope"),
        _word(mistakes, pairs.get("match"), f"{path}.match", MATCH, ""),
        _joined(mistakes, pairs.get("source"), f"{path}.source"),
    )


def _word(mistakes: Mistakes, node: Node | None, path: str, allowed: tuple[str, ...], default: str) -> str:
    if node is None:
        return default
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


def _joined(mistakes: Mistakes, node: Node | None, path: str) -> tuple[str, ...]:
    """Return the names in a text such as `spot+margin`."""
    if node is None:
        return ()
    names = tuple(name.strip() for name in scalar_of(mistakes, node, path, "").split("+"))
    if node.kind == "scalar" and (not all(names) or len(set(names)) < len(names)):
        mistakes.add(node, path, "expected different names with + between them, such as spot+margin")
    return tuple(name for name in names if name)
