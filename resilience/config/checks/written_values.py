"""Finds values that a file cannot mean as it writes them, such as a policy without any setting."""

from __future__ import annotations

from collections.abc import Iterator

from ..._core.policy.policy import Policy
from ..loading.nodes import Node, field_of, node_at
from .bare_numbers import bare_numbers

__all__ = ["written_values"]

_IGNORED = (
    ("factor", ("constant", "linear", "decorrelated"), 2, "a {kind} delay has no factor: it has no effect"),
    ("jitter", ("decorrelated",), "full", "a {kind} delay is random by itself: jitter has no effect"),
)
"""A setting, the kinds of backoff that ignore it, its default, and the message. The stage warns of other values."""


def written_values(policy: Policy, node: Node, file: str) -> Iterator[tuple[Node, str, str]]:
    """Yield the node, path and message of each such value of a policy in a file."""
    if node.kind != "mapping" or not node.value:
        yield node, "", "the policy has no settings: its calls run as they would without one, but for their records"
        return
    yield from (found for found in bare_numbers(node) if found[0].file == file)
    yield from _ignored_backoff(policy, node, file)
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


def _ignored_backoff(policy: Policy, node: Node, file: str) -> Iterator[tuple[Node, str, str]]:
    """Warn of a default value that the policy writes itself, although its kind of backoff does not read it."""
    backoff = node_at(node, "retry.backoff")
    if policy.retry is None or backoff.kind != "mapping":
        return
    kind = policy.retry.backoff.kind
    for name, kinds, default, message in _IGNORED:
        written = field_of(backoff, name)
        if written is not None and kind in kinds and written.plain == default and _is_own(written, node, file):
            yield written, f"retry.backoff.{name}", message.format(kind=kind)


def _is_own(setting: Node, policy: Node, file: str) -> bool:
    """Return whether a policy does not inherit a setting; what it extends usually stands above it."""
    return setting.file == file and (setting.line, setting.column) > (policy.line, policy.column)
