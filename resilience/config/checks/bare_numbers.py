"""Finds numbers without a unit that are probably meant in another one, such as `deadline: 500`: over eight minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from ..._core.policy.policy import Policy
from ..._core.policy.section import Section
from ..loading.nodes import Node, field_of
from ..validation.annotations import Leaf, Others, keys_of_files, schema_of

__all__ = ["bare_numbers"]

Findings: TypeAlias = Iterator[tuple[Node, str, str]]
"""The node, its path, and the message."""
_Search: TypeAlias = Callable[[Node, str], Findings]
_MANY_SECONDS = 100  # whoever means minutes writes them; the longest deadline that is shipped is 90 s


def bare_numbers(policy: Node) -> Findings:
    """Yield the node, path and message of each such number in the mapping of a policy."""
    return _Searches().section(Policy)(policy, "")


def _duration(node: Node, path: str) -> Findings:
    if _number(node) >= _MANY_SECONDS:
        meant = f"write {node.value}s, or {node.value}ms if it is meant in milliseconds"
        yield node, path, f"{node.value} without a unit is seconds: {meant}"


def _rate(node: Node, path: str) -> Findings:
    if _number(node) > 0:
        yield node, path, f"{node.value} without a span is per second: write {node.value}/s"


def _nothing(_node: Node, _path: str) -> Findings:
    return iter(())


def _number(node: Node) -> float:
    value = node.plain if node.kind == "scalar" else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


_BY_UNIT = {"duration": _duration, "rate": _rate}


class _Searches:
    """Makes of each annotation of a setting the search of its node. A value of another form has no such numbers."""

    def leaf(self, leaf: Leaf, /) -> _Search:
        return _nothing if leaf.spec is None else _BY_UNIT.get(leaf.spec.kind, _nothing)

    def section(self, kind: type[Section], /) -> _Search:
        searches = {name: schema_of(hint, self) for name, hint in keys_of_files(kind).items()}

        def search(node: Node, path: str) -> Findings:
            for name, of_setting in searches.items() if node.kind == "mapping" else ():
                setting = field_of(node, name)
                if setting is not None:
                    yield from of_setting(setting, f"{path}.{name}".lstrip("."))

        return search

    def items(self, item: _Search, /) -> _Search:
        def search(node: Node, path: str) -> Findings:
            for index, one in enumerate(node.value if node.kind == "list" else ()):
                yield from item(one, f"{path}[{index}]")

        return search

    def by_name(self, item: _Search, /) -> _Search:
        def search(node: Node, path: str) -> Findings:
            for key, value in node.value if node.kind == "mapping" else ():
                yield from item(value, f"{path}.{key.value}")

        return search

    def choice(self, usual: _Search, _others: Others, /) -> _Search:
        return usual
