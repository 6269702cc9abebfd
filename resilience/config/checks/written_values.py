"""Finds values that a file cannot mean as it writes them, such as `deadline: 500`, which is over eight minutes."""

from __future__ import annotations

from collections.abc import Iterator

from ..._core.policy.policy import Policy
from ..loading.nodes import Node, field_of

__all__ = ["written_values"]

_LIMITS = ("deadline", "attempt_timeout")
_MANY_SECONDS = 100  # the longest deadline that is shipped is 90 s


def written_values(policy: Policy, node: Node, file: str) -> Iterator[tuple[Node, str, str]]:
    """Yield the node, path and message of each such value of a policy in a file."""
    if node.kind != "mapping" or not node.value:
        yield node, "", "the policy has no settings: its calls run as they would without one, but for their records"
        return
    yield from _bare_limits(node, file)
    yield from _bare_rates(node, file)
    yield from _useless_open_max(policy, node, file)


def _useless_open_max(policy: Policy, node: Node, file: str) -> Iterator[tuple[Node, str, str]]:
    """Warn of `open_max` below `open_for`, where it is written: its default may be."""
    rules, section = policy.breaker, field_of(node, "breaker")
    if rules is None or section is None or rules.open_max >= rules.open_for:
        return
    written = field_of(section, "open_max")
    if written is not None and written.file == file:
        message = f"below open_for, it has no effect: the breaker stays open for {rules.open_for:g}s each time"
        yield written, "breaker.open_max", message


def _bare_limits(policy: Node, file: str) -> Iterator[tuple[Node, str, str]]:
    for name in _LIMITS:
        node = field_of(policy, name)
        if node is not None and node.file == file and _number(node) >= _MANY_SECONDS:
            meant = f"write {node.value}s, or {node.value}ms if it is meant in milliseconds"
            yield node, name, f"{node.value} without a unit is seconds: {meant}"


def _bare_rates(policy: Node, file: str) -> Iterator[tuple[Node, str, str]]:
    for index, node in enumerate(_rates(field_of(policy, "quota"))):
        if node is not None and node.file == file and _number(node) > 0:
            yield node, f"quota[{index}].rate", f"{node.value} without a span is per second: write {node.value}/s"


def _rates(quota: Node | None) -> list[Node | None]:
    return [field_of(entry, "rate") for entry in quota.value] if quota is not None and quota.kind == "list" else []


def _number(node: Node) -> float:
    value = node.plain
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
