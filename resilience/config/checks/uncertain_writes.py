"""Warns about writes that cannot be looked up when their outcome is uncertain, and about lookups without a write."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..._core.policy.policy import Policy
from ..._core.policy.policy_set import OperationSettings
from ..loading.extends import lineage_of
from ..loading.layers import Layer
from ..loading.nodes import Node, field_of

__all__ = ["uncertain_writes"]

_HTTP = re.compile(r"(?:post|patch)(?:[ *]|$)", re.IGNORECASE)
_KEYED = {"bitget", "ccxt"}
"""Built-in policies of clients that know the parameter of the key by themselves."""
_BLIND = "a write without key and reconcile: an uncertain one is neither looked up nor resent, but reported as unknown"
_KEYLESS = (
    "reconcile has no effect on a write without a key, by which it would be looked up: write key: NAME here, the "
    "parameter that has the client's own id"
)


def uncertain_writes(
    rules: list[tuple[OperationSettings, Node]], layer: Layer, file: str
) -> Iterator[tuple[Node, str, str]]:
    """Yield the node, path and message of each warning about entries of `operations` and their policies."""
    for index, (rule, node) in enumerate(rules):
        message = _message(rule, layer)
        if message:
            yield node, f"operations[{index}]", message
    for name, node in layer.nodes.items():
        entries = [rule for rule, _ in rules if rule.policy == name]
        section = field_of(node, "reconcile") if node.file == file and node.kind == "mapping" else None
        if section is not None and section.file == file and section.kind == "mapping" and _reads_only(entries):
            yield (
                section,
                f"policies.{name}.reconcile",
                "only writes are looked up, and its operations are reads",
            )


def _message(rule: OperationSettings, layer: Layer) -> str:
    policy = layer.policy_set.policies.get(rule.policy or "")
    if policy is None or rule.key is not None or not rule.is_write:
        return ""
    if policy.reconcile is not None:
        return _KEYLESS if _KEYED.isdisjoint(lineage_of(rule.policy, layer.nodes)) else ""
    is_certain = rule.idempotent is False or _HTTP.match(rule.match) is not None
    return _BLIND if is_certain and _retries(policy) else ""


def _retries(policy: Policy) -> bool:
    return policy.retry is not None and policy.retry.max_attempts != 1


def _reads_only(entries: list[OperationSettings]) -> bool:
    return bool(entries) and all(entry.is_read for entry in entries)
