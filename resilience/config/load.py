"""A policy file → a `PolicySet`. Every mistake is reported at once; a file with one is refused whole.

A file is layered over the built-in policies, which it may extend or replace. A child lays its
sections over its parent's; `off` or `null` switches a stage off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from .._core import registry as core
from .._core.policy import Operation, Policy, PolicySet
from ..errors import PolicyError, Problem
from .files import shipped
from .mistakes import Mistakes
from .nodes import Node, read_file
from .sections import codes, merged, policy, section
from .tables import CodeRegistry, as_node, is_known

__all__ = ["builtin", "from_mapping", "lint", "load"]

_BUILTIN = ("default", "http", "bitget", "ccxt", "bitget-ws")
_TOP = ("version", "codes", "policies", "operations")


class _Layer:
    """The policies below a file: their merged nodes, for `extends`, and what they became."""

    def __init__(self, nodes: Mapping[str, Node], made: PolicySet) -> None:
        self.nodes = nodes
        self.made = made


def load(path: str | os.PathLike[str]) -> PolicySet:
    """Read a policy file over the built-in policies.

    Raises:
        PolicyError: every mistake as `file:line:col: path: what is wrong and what is allowed`.
    """
    return _read(read_file(path), os.fspath(path), _builtin_layer()).made


def from_mapping(mapping: Mapping[str, Any]) -> PolicySet:
    """Take what a policy file would hold as a mapping.

    Raises:
        PolicyError: every mistake in it.
    """
    return _read(as_node(mapping), "<mapping>", _builtin_layer()).made


def builtin() -> PolicySet:
    """Return the built-in policies alone."""
    return _builtin_layer().made


def lint(path: str | os.PathLike[str]) -> list[Problem]:
    """Return every mistake of a file, and warnings about settings that cannot do what they say."""
    try:
        layer = _read(read_file(path), os.fspath(path), _builtin_layer())
    except PolicyError as error:
        return list(error.problems)
    found = Mistakes(os.fspath(path))
    for name, node in layer.nodes.items():
        if node.file == os.fspath(path):
            for message in _warnings(layer.made.policies[name]):
                found.add(node, f"policies.{name}", f"warning: {message}")
    return found.problems


@cache
def _builtin_layer() -> _Layer:
    layer = _Layer({}, PolicySet({}))
    for name in _BUILTIN:
        path = shipped(f"{name}.yaml")
        layer = _read(read_file(path), str(path), layer)
    return _Layer(layer.nodes, PolicySet(layer.made.policies, (), "built-in"))


def _read(root: Node | None, file: str, below: _Layer) -> _Layer:
    found = Mistakes(file)
    if root is None or root.kind != "mapping":
        message = "the file is empty" if root is None else f"expected a mapping with {', '.join(_TOP)}"
        found.add(root or Node("", 1, 1), "", f"{message}; a policy file begins with version: 1")
        found.end()
    assert root is not None
    top = found.fields(root, "", _TOP)
    version = top.get("version")
    if version is not None and version.plain != 1:
        found.add(version, "version", f"{version.value!r} is no version that is known; allowed is 1")
    shared = codes(top["codes"], "codes", found) if "codes" in top else None
    nodes = _extended(top.get("policies"), below, found)
    made = {name: policy(name, node, _codes_for(node, shared, below), found) for name, node in nodes.items()}
    policies = {**below.made.policies, **{name: one for name, one in made.items() if one is not None}}
    operations = _operations(top.get("operations"), {*policies, *made}, found)
    asked = [*(shared or ()), *(code for one in made.values() if one is not None for code in one.codes)]
    tables = _tables(asked, found)
    found.end()
    return _Layer({**below.nodes, **nodes}, PolicySet(policies, operations, file, tables, shared or ()))


def _tables(asked: Iterable[str], found: Mistakes) -> dict[str, core.CodeRegistry]:
    """Read the tables that are named by their path: a mistake in one is told now, not at the first failure."""
    tables: dict[str, core.CodeRegistry] = {}
    for path in dict.fromkeys(one for one in asked if not is_known(one)):
        try:
            tables[path] = CodeRegistry.load(path)
        except PolicyError as error:
            found.problems += error.problems
    return tables


def _codes_for(node: Node, shared: tuple[str, ...] | None, below: _Layer) -> tuple[str, ...] | None:
    """Return the registries of a policy that lists none itself: the file's, else its parent's."""
    if shared is not None:
        return shared
    parent = next((value.value for key, value in node.value if key.value == "extends"), None)
    found = below.made.policies.get(str(parent)) if parent is not None else None
    return found.codes if found is not None else None


def _extended(node: Node | None, below: _Layer, found: Mistakes) -> dict[str, Node]:
    """Return each policy's node with everything that it extends beneath it."""
    if node is None or (node.kind == "scalar" and node.plain is None):
        return {}
    if node.kind != "mapping":
        found.add(node, "policies", "expected a mapping of policies by name")
        return {}
    own: dict[str, Node] = {}
    for key, value in node.value:
        if key.value in own:
            found.add(key, f"policies.{key.value}", "stands here twice")
        elif value.kind == "mapping":
            own[key.value] = value
        elif value.plain is None:
            own[key.value] = Node([], key.line, key.column, "mapping", False, key.file)
        else:
            found.add(value, f"policies.{key.value}", "expected a mapping of settings")
    done: dict[str, Node] = {}
    for name in own:
        _resolve(name, own, below, done, [], found)
    return done  # parents first: what a child inherits is told where it stands


def _resolve(
    name: str, own: Mapping[str, Node], below: _Layer, done: dict[str, Node], way: list[str], found: Mistakes
) -> Node | None:
    if name in done:
        return done[name]
    node = own[name]
    parent = next((value for key, value in node.value if key.value == "extends"), None)
    under: Node | None = None
    if parent is not None and parent.plain not in (None, "off"):
        word = str(parent.value) if parent.kind == "scalar" else ""
        if word in own and (word != name or word not in below.nodes):
            if word in (*way, name):
                found.add(parent, f"policies.{name}.extends", f"runs in a circle: {' -> '.join((*way, name, word))}")
            else:
                under = _resolve(word, own, below, done, [*way, name], found)
        elif word in below.nodes:
            under = below.nodes[word]
        else:
            known = sorted({*own, *below.nodes} - {name})
            near = get_close_matches(word, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            found.add(parent, f"policies.{name}.extends", f"no policy {word!r}; {hint}")
    done[name] = merged(_inherited(under, node), node)
    return done[name]


def _inherited(under: Node | None, node: Node) -> Node | None:
    """Return what a parent hands down: its sections, and not its own `extends` or `codes`."""
    if under is None:
        return None
    pairs = [(key, value) for key, value in under.value if key.value not in ("extends", "codes")]
    return Node(pairs, node.line, node.column, "mapping", False, node.file)


def _operations(node: Node | None, policies: set[str], found: Mistakes) -> tuple[Operation, ...]:
    if node is None or (node.kind == "scalar" and node.plain is None):
        return ()
    if node.kind != "list":
        found.add(node, "operations", 'expected a list such as - {match: "fetch_*", policy: read}')
        return ()
    made = []
    for place, one in enumerate(node.value):
        path = f"operations[{place}]"
        before = len(found.problems)
        values = section(Operation, one, path, found)
        if "match" not in values and len(found.problems) == before:
            found.add(one, path, "needs match: a glob of operation names")
        if values.get("policy") is not None and values["policy"] not in policies:
            near = get_close_matches(str(values["policy"]), sorted(policies), 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(policies))}"
            named = next(value for key, value in one.value if key.value == "policy")
            found.add(named, f"{path}.policy", f"no policy {values['policy']!r}; {hint}")
        if len(found.problems) == before:
            made.append(Operation(**values))
    return tuple(made)


def _warnings(one: Policy) -> list[str]:
    """Return what a policy says and cannot do."""
    told = []
    if one.retry is not None and one.deadline is not None and one.attempt_timeout is not None:
        waits = sum(_nominal(one, attempt) for attempt in range(1, min(one.retry.max_attempts, 200)))
        whole = one.retry.max_attempts * one.attempt_timeout + waits
        if whole > one.deadline:
            told.append(
                f"{one.retry.max_attempts} attempts of {one.attempt_timeout:g}s and their waits need {whole:.3g}s: "
                f"they cannot all fit the deadline of {one.deadline:g}s"
            )
    if one.retry is not None and one.retry.backoff.initial > one.retry.backoff.max:
        backoff = one.retry.backoff
        told.append(f"retry.backoff.initial of {backoff.initial:g}s is cut to max: every wait is {backoff.max:g}s")
    breaker, limit = one.breaker, one.attempt_timeout
    slow = breaker.slow_after if breaker is not None and breaker.slow_rate is not None else None
    if slow is not None and limit is not None and slow >= limit:
        told.append(
            f"breaker.slow_after of {slow:g}s is never seen: an attempt is cut after {limit:g}s, and has failed"
        )
    rules = one.reconcile
    if rules is not None and rules.fence is not None:
        bounds = (rules.window, 30.0), (rules.processing, 3.0), (rules.lag, 2.0)
        window, processing, lag = (default if given is None else given for given, default in bounds)
        if rules.fence < 2 * window + processing + lag:
            told.append(
                f"reconcile.fence of {rules.fence:g}s is shorter than 2 x window + processing + lag = "
                f"{2 * window + processing + lag:g}s: a write that is still under way could be sent twice"
            )
    return told


def _nominal(one: Policy, attempt: int) -> float:
    """Return the longest delay after this attempt."""
    from .._core.retry import bounds

    assert one.retry is not None
    return bounds(one.retry.backoff, attempt)[1]
