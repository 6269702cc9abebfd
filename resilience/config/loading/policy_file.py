"""A policy file → a `PolicySet`. Every mistake is reported at once; a file with one is refused whole.

A file is layered over the built-in policies, which it may extend or replace. A child lays its
sections over its parent's; `off` or `null` switches a stage off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from ..._core.policy import codes as core
from ..._core.policy.old_spellings import warn
from ..._core.policy.policy import OperationSettings, PolicySet
from ..._core.policy.units import shown
from ...errors import PolicyError
from ..codes.code_tables import CodeRegistry, is_known
from .environment import fill_variables
from .extends import inherited_policies, parent_of
from .mappings import as_node
from .mistakes import Mistakes
from .nodes import Node
from .old_keys import OldKey, rewrite_old_keys
from .policy_nodes import codes, policy
from .secret_values import refuse_secrets
from .section_nodes import section
from .shipped_files import shipped
from .yaml_reader import read_file

__all__ = ["Layer", "builtin", "builtin_layer", "from_mapping", "load", "read"]

_BUILTIN = ("default", "http", "bitget", "ccxt", "bitget-ws")
_TOP = ("version", "codes", "policies", "operations")
_MOST_TABLES, _MOST_RULES = 20, 1_000


class Layer(NamedTuple):
    """The policies of a file and of those below it.

    Attributes:
        nodes: each policy's node, with everything that it inherits.
        made: what they became.
        rules: the node of each entry of `operations`.
        hidden: values of the environment in it, which no message may show.
        old_keys: keys of version 0.1 in it.
    """

    nodes: Mapping[str, Node]
    made: PolicySet
    rules: tuple[Node, ...] = ()
    hidden: Mapping[str, str] = MappingProxyType({})
    old_keys: tuple[OldKey, ...] = ()


def load(path: str | os.PathLike[str]) -> PolicySet:
    """Read a policy file over the built-in policies.

    Raises:
        PolicyError: every mistake as `file:line:col: path: what is wrong and what is allowed`.
    """
    return read(read_file(path), os.fspath(path), builtin_layer()).made


def from_mapping(mapping: Mapping[str, Any]) -> PolicySet:
    """Take what a policy file would hold as a mapping.

    Raises:
        PolicyError: every mistake in it.
    """
    layer = read(as_node(mapping), "<mapping>", builtin_layer())
    for key in layer.old_keys:
        warn(f"{key.path}: {key.message}")
    return layer.made


def builtin() -> PolicySet:
    """Return the built-in policies alone."""
    return builtin_layer().made


@cache
def builtin_layer() -> Layer:
    """Return the layer of the built-in policies, which lies below every file."""
    layer = Layer({}, PolicySet({}))
    for name in _BUILTIN:
        path = shipped(f"{name}.yaml")
        layer = read(read_file(path), str(path), layer)
    return Layer(layer.nodes, PolicySet(layer.made.policies, (), "built-in"))


def read(root: Node | None, file: str, below: Layer) -> Layer:
    """Make policies of a file's nodes.

    Raises:
        PolicyError: every mistake in it.
    """
    found = Mistakes(file)
    if root is None or root.kind != "mapping":
        message = "the file is empty" if root is None else f"expected a mapping with {', '.join(_TOP)}"
        found.add(root or Node("", 1, 1), "", f"{message}; a policy file begins with version: 1")
        found.end()
    assert root is not None
    refuse_secrets(root, found.add)
    found.hidden = fill_variables(root, os.environ, found.add)
    top = found.fields(root, "", _TOP)
    version = top.get("version")
    if version is not None and (version.plain != 1 or isinstance(version.plain, bool)):
        told = version.mask or shown(version.plain)
        found.add(version, "version", f"{told} is no version that is known; allowed is 1")
    shared = codes(top["codes"], "codes", found) if "codes" in top else None
    named, old_keys = rewrite_old_keys(top["policies"], found) if "policies" in top else (None, [])
    nodes = inherited_policies(named, below.nodes, found)
    made = {name: policy(name, node, _codes_for(node, shared, below), found) for name, node in nodes.items()}
    policies = {**below.made.policies, **{name: one for name, one in made.items() if one is not None}}
    operations = _operations(top.get("operations"), {*policies, *made}, found)
    asked = [*(shared or ()), *(code for one in made.values() if one is not None for code in one.codes)]
    tables = _tables(asked, top.get("codes", root), found)
    found.end()
    made_set = PolicySet(policies, operations, file, tables, shared or ())
    entries = top["operations"].value if operations else ()
    return Layer({**below.nodes, **nodes}, made_set, tuple(entries), found.hidden, tuple(old_keys))


def _tables(asked: Iterable[str], node: Node, found: Mistakes) -> dict[str, core.CodeTable]:
    """Read the tables that are named by their path: a mistake in one is told now, not at the first failure."""
    tables: dict[str, core.CodeTable] = {}
    paths = list(dict.fromkeys(one for one in asked if not is_known(one)))
    if len(paths) > _MOST_TABLES:
        found.add(node, "codes", f"{len(paths)} tables are named: {_MOST_TABLES} is the most")
        return tables
    for path in paths:
        try:
            tables[path] = CodeRegistry.load(path)
        except PolicyError as error:
            found.problems += error.problems
    return tables


def _codes_for(node: Node, shared: tuple[str, ...] | None, below: Layer) -> tuple[str, ...] | None:
    """Return the registries of a policy that lists none itself: the file's, else its parent's."""
    if shared is not None:
        return shared
    parent = parent_of(node)
    found = below.made.policies.get(str(parent.value)) if parent is not None else None
    return found.codes if found is not None else None


def _operations(node: Node | None, policies: set[str], found: Mistakes) -> tuple[OperationSettings, ...]:
    if node is None or (node.kind == "scalar" and node.plain is None):
        return ()
    if node.kind != "list":
        found.add(node, "operations", 'expected a list such as - {match: "fetch_*", policy: read}')
        return ()
    if len(node.value) > _MOST_RULES:
        found.add(node, "operations", f"{len(node.value)} entries: {_MOST_RULES} is the most that one file may hold")
        return ()
    made = []
    for place, one in enumerate(node.value):
        path = f"operations[{place}]"
        before = found.count
        values = section(OperationSettings, one, path, found)
        if "match" not in values and found.count == before:
            found.add(one, path, "needs match: a glob of operation names")
        if values.get("policy") is not None and values["policy"] not in policies:
            named = next(value for key, value in one.value if key.value == "policy")
            told = f"{named.mask} is no policy" if named.mask else f"no policy {values['policy']!r}"
            word = "" if named.mask else str(values["policy"])
            found.add(named, f"{path}.policy", f"{told}; {found.hint(word, policies)}")
        if found.count == before:
            made.append(OperationSettings(**values))
    return tuple(made)
