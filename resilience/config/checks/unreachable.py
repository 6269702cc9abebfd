"""What a file says that nothing comes to: entries that match nothing or nothing more, lanes, shared windows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from ..._core.policy.policy import OperationSettings, Policy
from ..._core.policy.sections import QuotaSettings
from ..._core.stages.admission import CANCEL
from ..loading.extends import parent_of
from ..loading.mistakes import printable
from ..loading.nodes import Node, node_at
from ..loading.policy_file import Layer
from .globs import covers_all_of, comparison_cost, is_glob, shared_name

__all__ = ["unreachable_entries"]

Told = Iterator[tuple[Node, str, str]]
"""Where, by which path, what."""
_MOST = 60_000  # how much work it may be to compare the entries with each other
_METHODS = "get|head|options|put|post|patch|delete"
_METHOD = re.compile(rf"({_METHODS})(\s.*)?", re.IGNORECASE | re.DOTALL)
_WRITES = re.compile(r"(?:post|patch)(?: .*)?", re.DOTALL)
_CAMEL = re.compile(r"(?:fetch|load|create|edit|cancel)[A-Z]\w*\*?")


def unreachable_entries(layer: Layer, file: str, names: tuple[str, ...]) -> Told:
    """Yield what nothing comes to, and writes that cannot be looked up."""
    rules = list(zip(layer.made.operations, layer.rules, strict=True))
    for place, (rule, node) in enumerate(rules):
        path = f"operations[{place}]"
        lineage = _lineage(rule.policy, layer.nodes)
        told = _never(rule.match) or _misspelled(rule.match, lineage, names)
        if told:
            yield node_at(node, "match"), f"{path}.match", told
        told = _blind_write(rule, layer)
        if told:
            yield node, path, told
    yield from _hidden(rules)
    yield from _lanes(rules, layer, file)
    yield from _windows(layer, file)
    yield from _payers(layer, file)


def _lineage(name: str | None, nodes: Mapping[str, Node]) -> list[str]:
    """Return a policy's name and those of what it extends."""
    names: list[str] = []
    while name is not None and name in nodes and name not in names:
        names.append(name)
        parent = parent_of(nodes[name])
        name = str(parent.value) if parent is not None else None
    return names


def _never(match: str) -> str:
    """Say why a glob can match no operation."""
    found = _METHOD.fullmatch(match)
    if found and found[1] != found[1].lower() and (found[2] or "").strip().startswith("/"):
        small = printable(found[1].lower() + (found[2] or ""))
        return f"matches no request: methods are written in small letters, {small!r}"
    if match.startswith("/"):
        return f"matches no request: a path stands behind its method, such as 'post {printable(match)}'"
    return ""


def _misspelled(match: str, lineage: list[str], names: tuple[str, ...]) -> str:
    if "ccxt" in lineage and _CAMEL.fullmatch(match):
        return f"matches no operation of ccxt: they are written {re.sub('(?=[A-Z])', '_', match).lower()!r}"
    if "bitget" in lineage and names and match not in names and not is_glob(match):
        near = get_close_matches(match[:60], names, 1, 0.85)
        if near:
            return f"is no operation of the Bitget client; did you mean {near[0]}?"
    return ""


def _blind_write(rule: OperationSettings, layer: Layer) -> str:
    """Say that a write can be neither looked up nor sent again."""
    policy = layer.made.policies.get(rule.policy or "")
    write = rule.idempotent is False or (rule.idempotent is None and _WRITES.fullmatch(rule.match) is not None)
    if not write or rule.key is not None or policy is None or policy.reconcile is not None:
        return ""
    if policy.retry is None or policy.retry.max_attempts == 1:
        return ""
    return "a write without key and reconcile: one in doubt is neither looked up nor sent again, it ends as unknown"


def _hidden(rules: list[tuple[OperationSettings, Node]]) -> Told:
    """Compare each entry with those before it."""
    left = _MOST
    for place, (rule, node) in enumerate(rules):
        path = f"operations[{place}].match"
        at = node_at(node, "match")
        for before, (other, _) in enumerate(rules[:place]):
            left -= comparison_cost(other.match, rule.match)
            if left < 0:
                yield (
                    at,
                    path,
                    "this entry and those after it were not compared with the earlier ones: there are too many",
                )
                return
            if covers_all_of(other.match, rule.match):
                told = f"is never reached: operations[{before}], {printable(other.match)!r}, matches all of it"
                yield at, path, told
                break
            if _same(rule, other) or covers_all_of(rule.match, other.match):
                continue
            name = shared_name(other.match, rule.match)
            if name is not None:
                told = (
                    f"operations[{before}], {printable(other.match)!r}, matches {printable(name)!r} as well: it counts"
                )
                yield at, path, told
                break


def _same(one: OperationSettings, other: OperationSettings) -> bool:
    return (one.policy, one.idempotent, one.key, one.lane) == (other.policy, other.idempotent, other.key, other.lane)


def _lanes(rules: list[tuple[OperationSettings, Node]], layer: Layer, file: str) -> Told:
    """Lanes that no entry leads to, and entries that lead to a lane which their policy does not have."""
    policies = layer.made.policies
    used = {(rule.policy, rule.lane) for rule, _ in rules if rule.lane is not None}
    for name, node in layer.nodes.items():
        admission = policies[name].admission
        for lane in () if admission is None or node.file != file else admission.lanes:
            if lane != CANCEL and not {(name, lane), (None, lane)} & used and not _inherited(name, lane, layer, used):
                at = _own(node_at(node, f"admission.lanes.{lane}"), node)
                told = f"no entry of operations puts a call into the lane {printable(lane)!r}"
                yield at, f"policies.{name}.admission.lanes.{lane}", f"{told}; only a lane given in Python would"
    for place, (rule, node) in enumerate(rules):
        policy = policies.get(rule.policy or "")
        if policy is not None and rule.lane not in (None, CANCEL) and not _has_lane(policy, str(rule.lane)):
            told = (
                f"the policy {rule.policy!r} has no lane {printable(str(rule.lane))!r}: its calls wait like all others"
            )
            yield node_at(node, "lane"), f"operations[{place}].lane", told


def _has_lane(policy: Policy, lane: str) -> bool:
    return policy.admission is not None and lane in policy.admission.lanes


def _inherited(name: str, lane: str, layer: Layer, used: set[tuple[str | None, str]]) -> bool:
    """Tell whether a lane is used by a policy that has it from this one."""
    return any((other, lane) in used and name in _lineage(other, layer.nodes) for other, _ in used)


def _windows(layer: Layer, file: str) -> Told:
    """Windows of one name with different settings: each policy takes the window from the other."""
    first: dict[str, tuple[str, QuotaSettings]] = {}
    for name, node in layer.nodes.items():
        if node.file != file:
            continue
        entries = node_at(node, "quota").value
        for place, quota in enumerate(layer.made.policies[name].quota):
            if quota.name is None:
                continue
            owner, known = first.setdefault(quota.name, (name, quota))
            if (known.rate, known.burst, known.reserve) != (quota.rate, quota.burst, quota.reserve):
                told = f"the window {printable(quota.name)!r} has another rate, burst or reserve in {owner!r}"
                yield (
                    _own(node_at(entries[place], "rate"), node),
                    f"policies.{name}.quota[{place}].rate",
                    f"{told}: the two take it from each other",
                )


def _payers(layer: Layer, file: str) -> Told:
    """Windows that nobody pays, because they name requests in a way that matches none."""
    for name, node in layer.nodes.items():
        for place, quota in enumerate(layer.made.policies[name].quota if node.file == file else ()):
            for number, glob in enumerate(quota.operations):
                told = _never(glob)
                if told:
                    path = f"quota[{place}].operations[{number}]"
                    yield _own(node_at(node, path), node), f"policies.{name}.{path}", told


def _own(at: Node, policy: Node) -> Node:
    """Return where a setting stands, or its policy where it is inherited from another file."""
    return at if at.file == policy.file else policy
