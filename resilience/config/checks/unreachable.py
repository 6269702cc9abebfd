"""Warns about entries, lanes and quota windows that no call reaches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches

from ..._core.policy.policy import Policy
from ..._core.policy.policy_set import OperationSettings
from ..._core.policy.sections import QuotaSettings
from ..._core.stages.lanes import CANCEL
from ..loading.extends import lineage_of
from ..loading.layers import Layer
from ..loading.mistakes import printable
from ..loading.nodes import Node, node_at
from .globs import is_glob, new_cover_check
from .leased_weights import leased_weights
from .uncertain_writes import uncertain_writes

__all__ = ["unreachable_entries"]

Warnings = Iterator[tuple[Node, str, str]]
"""The node, its path, and the message."""
_METHODS = "get|head|options|put|post|patch|delete"
_CAMEL = re.compile(r"(?:fetch|load|create|edit|cancel)[A-Z]\w*\*?")
_METHOD = re.compile(rf"({_METHODS})(\s.*)?", re.IGNORECASE | re.DOTALL)
_NAMED_CAMEL = re.compile(r"(?:fetch|load|create|edit|cancel)[A-Z]\w*\*?")


def unreachable_entries(layer: Layer, file: str, names: tuple[str, ...]) -> Warnings:
    """Yield the warnings about a file.

    Args:
        layer: the file's policies.
        file: its name; settings that are inherited from other files are not reported.
        names: operations of the clients of the built-in policies, to find misspelled names.
    """
    rules = list(zip(layer.policy_set.operations, layer.operation_nodes, strict=True))
    for index, (rule, node) in enumerate(rules):
        path = f"operations[{index}]"
        lineage = lineage_of(rule.policy, layer.nodes)
        message = _impossible(rule.match) or _misspelled(rule.match, lineage, names)
        if message:
            yield node_at(node, "match"), f"{path}.match", message
    yield from uncertain_writes(rules, layer, file)
    yield from _shadowed(rules)
    yield from _unused_lanes(rules, layer, file)
    yield from _missing_lanes(rules, layer)
    yield from _shared_windows(layer, file)
    yield from _unused_windows(layer, file)
    yield from leased_weights(layer, file)


def _impossible(match: str) -> str:
    """Return why a glob cannot match any operation, or is not written as operations are named; else an empty string."""
    parts = _METHOD.fullmatch(match)
    method, path = parts.groups("") if parts else ("", "")
    if method != method.lower() and path.strip().startswith("/"):
        lower = printable(method.lower() + path)
        return f"is read as {lower!r}: write the method in lower case, as events do"
    if match.startswith("/"):
        return f"matches no request: write the method before the path, such as 'post {printable(match)}'"
    return ""


def _misspelled(match: str, lineage: list[str], names: tuple[str, ...]) -> str:
    if "ccxt" in lineage and _CAMEL.fullmatch(match):
        return f"matches no operation of ccxt: write {re.sub('(?=[A-Z])', '_', match).lower()!r}"
    meant = _meant(match, names) if "bitget" in lineage and not is_glob(match) else None
    return f"is not an operation of the Bitget client; did you mean {meant}?" if meant else ""


def _meant(word: str, names: tuple[str, ...]) -> str | None:
    """Return the name that is nearly this word; None if there is none, or if the word is one of them."""
    if word in names:
        return None
    near = get_close_matches(word[:60], names, 1, 0.85)  # 0.85: one typing mistake in a usual name
    return near[0] if near else None


def _shadowed(rules: list[tuple[OperationSettings, Node]]) -> Warnings:
    """Warn about entries all of whose operations an earlier entry matches."""
    earlier: list[tuple[int, str, Callable[[str], bool]]] = []
    for index, (rule, node) in enumerate(rules):
        found = next((entry for entry in earlier if entry[2](rule.match)), None)
        if found is not None:
            message = f"never applies: operations[{found[0]}], {printable(found[1])!r}, matches all its operations"
            yield node_at(node, "match"), f"operations[{index}].match", message
        else:
            earlier.append((index, rule.match, new_cover_check(rule.match)))


def _unused_lanes(rules: list[tuple[OperationSettings, Node]], layer: Layer, file: str) -> Warnings:
    """Warn about lanes that no entry uses."""
    policies = layer.policy_set.policies
    used = {(rule.policy, rule.lane) for rule, _ in rules if rule.lane is not None}
    for name, node in layer.nodes.items():
        admission = policies[name].admission
        for lane in () if admission is None or node.file != file else admission.lanes:
            if lane != CANCEL and not {(name, lane), (None, lane)} & used and not _inherited(name, lane, layer, used):
                own = _own(node_at(node, f"admission.lanes.{lane}"), node)
                message = f"no entry of operations uses the lane {printable(lane)!r}; only Python code could"
                yield own, f"policies.{name}.admission.lanes.{lane}", message


def _missing_lanes(rules: list[tuple[OperationSettings, Node]], layer: Layer) -> Warnings:
    """Warn about entries with a lane that their policy does not have."""
    policies = layer.policy_set.policies
    for index, (rule, node) in enumerate(rules):
        policy = policies.get(rule.policy or "")
        if policy is not None and rule.lane not in (None, CANCEL) and not _has_lane(policy, str(rule.lane)):
            lane = printable(str(rule.lane))
            message = f"the policy {rule.policy!r} has no lane {lane!r}: its calls get no lane"
            yield node_at(node, "lane"), f"operations[{index}].lane", message


def _has_lane(policy: Policy, lane: str) -> bool:
    return policy.admission is not None and lane in policy.admission.lanes


def _inherited(name: str, lane: str, layer: Layer, used: set[tuple[str | None, str]]) -> bool:
    """Return whether a policy that inherits the lane from this one uses it."""
    return any((other, lane) in used and name in lineage_of(other, layer.nodes) for other, _ in used)


def _shared_windows(layer: Layer, file: str) -> Warnings:
    """Warn about windows with one name and different settings: the policies share one window."""
    first: dict[str, tuple[str, QuotaSettings]] = {}
    for name, node in layer.nodes.items():
        if node.file != file:
            continue
        entries = node_at(node, "quota").value
        for index, quota in enumerate(layer.policy_set.policies[name].quota):
            if quota.name is None:
                continue
            owner, known = first.setdefault(quota.name, (name, quota))
            if (known.rate, known.burst, known.reserve) != (quota.rate, quota.burst, quota.reserve):
                message = (
                    f"the window {printable(quota.name)!r} has another rate, burst or reserve in the policy {owner!r}"
                )
                yield (
                    _own(node_at(entries[index], "rate"), node),
                    f"policies.{name}.quota[{index}].rate",
                    f"{message}, and both share it",
                )


def _unused_windows(layer: Layer, file: str) -> Warnings:
    """Warn about quota windows whose globs cannot match any request."""
    for name, node in layer.nodes.items():
        for index, quota in enumerate(layer.policy_set.policies[name].quota if node.file == file else ()):
            for number, glob in enumerate(quota.operations):
                message = _impossible(glob)
                if message:
                    path = f"quota[{index}].operations[{number}]"
                    yield _own(node_at(node, path), node), f"policies.{name}.{path}", message


def _own(setting: Node, policy: Node) -> Node:
    """Return a setting's node, or its policy's node if the setting is inherited from another file."""
    return setting if setting.file == policy.file else policy
