"""Warns about names of exception classes that cannot be imported here: they match nothing, or are misspelled.

The check imports the packages that the names begin with. Nothing else in the library does that.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Any

from ..._core.classify.class_paths import class_paths
from ..._core.policy.policy import Policy
from ..loading.nodes import Node, field_of

__all__ = ["pass_through_warnings", "row_name_warnings"]

_HOMES = ("", ".exceptions", ".errors", ".error", ".exception")
"""Modules of a package in which a class that the package does not export is usually defined."""


def pass_through_warnings(policy: Policy) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the paths and messages of classes in `pass_through` that cannot be imported."""
    for index, name in enumerate(policy.pass_through):
        if isinstance(name, str) and _find(name if "." in name else f"builtins.{name}") is None:
            message = f"no exception class {name!r} can be imported here: it matches nothing"
            yield (f"pass_through[{index}]", "pass_through"), message


def row_name_warnings(root: Node) -> Iterator[tuple[Node, str, str]]:
    """Yield the node, path and message of class names in a code table's rows that match no importable class."""
    rules = field_of(root, "rules")
    for index, row in enumerate(_items(rules)):
        names = field_of(row, "names") if row.kind == "mapping" else None
        for number, item in enumerate(_items(names)):
            message = _defect(str(item.value)) if item.kind == "scalar" else None
            if message is not None:
                yield item, f"rules[{index}].names[{number}]", message


def _items(node: Node | None) -> list[Node]:
    """Return the items of a list; none of anything else, which the reader of the table reports."""
    return node.value if node is not None and node.kind == "list" else []


def _may_be_class(name: str) -> bool:
    """Return whether a dotted name is written like the path of a class, not like that of a constant."""
    *packages, last = name.split(".")
    in_a_package = bool(packages) and packages[0].islower()
    return in_a_package and last[:1].isupper() and not last.isupper() and "_" not in last


def _defect(name: str) -> str | None:
    """Return what is wrong with a name that looks like the path of a class, else None."""
    if not _may_be_class(name):
        return None
    found = _find(name)
    if found is None:
        return f"no exception class {name!r} can be imported here: the name matches nothing"
    if name in class_paths(found):
        return None
    return f"Python calls this class {found.__module__}.{found.__qualname__}: the name {name!r} matches nothing"


def _find(path: str) -> type | None:
    """Import the exception class of a path; None if there is none."""
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = _imported(".".join(parts[:length]))
        if module is not None:
            found: Any = module
            for part in parts[length:]:
                found = getattr(found, part, None)
            return found if _is_exception(found) else _known_by(path, parts[0])
    return None


def _known_by(path: str, package: str) -> type | None:
    """Return the exception class that has this path, although the package does not export it."""
    for home in _HOMES:
        _imported(package + home)
    return next((kind for kind in _all_exceptions() if path in class_paths(kind)), None)


def _all_exceptions() -> Iterable[type]:
    queue: list[type] = [BaseException]
    seen: dict[int, type] = {}  # by id: a class may have no hash
    while queue:
        kind = queue.pop()
        if id(kind) not in seen:
            seen[id(kind)] = kind
            queue += type.__subclasses__(kind)
    return seen.values()


def _imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit):  # whatever a foreign module does when it is imported
        return None


def _is_exception(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, BaseException)
