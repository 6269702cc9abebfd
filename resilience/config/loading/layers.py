"""Reads the nodes of a policy file as a layer over the policies beneath it. All mistakes are reported together.

The sections of a policy are merged over those of the policy that it extends; `off` or `null` switches a stage off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from ..._core.policy import codes as core
from ..._core.policy.policy import Policy
from ..._core.policy.policy_set import OperationSettings, PolicySet
from ..._core.policy.section import unchecked
from ..._core.policy.shared_settings import SharedSettings
from ..._core.policy.value_text import says_why, shown
from ...errors import PolicyError
from ..codes.code_tables import CodeRegistry, is_known
from ..validation.file_values import read_section
from ..validation.likely_places import place_of_policy_key
from .environment import fill_variables
from .extends import inherited_policies, parent_of
from .mistakes import Mistakes
from .nodes import OFF, Node, node_at
from .old_keys import OldKey, rewrite_old_keys
from .policy_nodes import codes, policy
from .secret_values import refuse_secrets

__all__ = ["Layer", "read"]

_TOP = ("version", "codes", "policies", "operations", "isolated", "shared")
_MAX_TABLES, _MAX_OPERATIONS = 20, 1_000


class Layer(NamedTuple):
    """The policies of a file and of the layers under it.

    Attributes:
        nodes: the node of each policy, merged with what it inherits.
        policy_set: the policies that were read from them.
        operation_nodes: the node of each entry of `operations`.
        hidden: values from the environment in it, which no message may show.
        old_keys: keys of version 0.1 in it.
    """

    nodes: Mapping[str, Node]
    policy_set: PolicySet
    operation_nodes: tuple[Node, ...] = ()
    hidden: Mapping[str, str] = MappingProxyType({})
    old_keys: tuple[OldKey, ...] = ()


def read(root: Node | None, file: str, below: Layer) -> Layer:
    """Read the policies of a file's nodes.

    Args:
        root: the file's content; None for an empty file.
        file: its name.
        below: the layer under it.

    Raises:
        PolicyError: all mistakes in it.
    """
    mistakes = Mistakes(file)
    root = _mapping(root, mistakes)
    # Secrets come first: they mark their nodes, so that no later message can show a value.
    refuse_secrets(root, mistakes.add)
    mistakes.hidden = fill_variables(root, os.environ, mistakes.add)
    top = mistakes.fields(root, "", _TOP, lambda key: _place_at_top(key, below))
    _check_version(top.get("version"), mistakes)
    listed = codes(top["codes"], "codes", mistakes) if "codes" in top else None
    # Old keys are rewritten before policies inherit, so that they override the new keys of a parent.
    named, old_keys = rewrite_old_keys(top["policies"], mistakes) if "policies" in top else (None, [])
    nodes = inherited_policies(named, below.nodes, mistakes)
    own = _policies(nodes, listed, below, mistakes)
    operations = _operations(top.get("operations"), {*below.policy_set.policies, *nodes}, mistakes)
    registries = [*(listed or ()), *(name for settings in own.values() for name in settings.codes)]
    tables = _tables(registries, top.get("codes", root), mistakes)
    isolated, shared = _isolated(top.get("isolated"), mistakes), _shared(top.get("shared"), mistakes)
    mistakes.end()
    policy_set = PolicySet(
        {**below.policy_set.policies, **own}, operations, file, tables, listed or (), tuple(own), isolated, shared
    )
    entries = top["operations"].value if operations else ()
    return Layer({**below.nodes, **nodes}, policy_set, tuple(entries), mistakes.hidden, tuple(old_keys))


def _mapping(root: Node | None, mistakes: Mistakes) -> Node:
    if root is None or root.kind != "mapping":
        message = "the file is empty" if root is None else f"expected a mapping with {', '.join(_TOP)}"
        mistakes.add(root or Node("", 1, 1), "", f"{message}; a policy file begins with version: 1")
        mistakes.end()
    assert root is not None
    return root


def _place_at_top(key: str, below: Layer) -> str:
    """Return where an unknown key of the file belongs: a setting to a policy, and a policy below `policies`."""
    return f"it belongs below policies: policies: {{{key}: ...}}" if key in below.nodes else place_of_policy_key(key)


def _check_version(version: Node | None, mistakes: Mistakes) -> None:
    if version is not None and (version.plain != 1 or isinstance(version.plain, bool)):
        mistakes.add(version, "version", f"unknown version {version.mask or shown(version.plain)}; expected 1")


def _isolated(node: Node | None, mistakes: Mistakes) -> str | None:
    """Return why the file isolates every policy, or None."""
    if node is None or (node.kind == "scalar" and node.plain in OFF):
        return None
    if node.kind != "scalar" or not isinstance(node.plain, str) or not says_why(node.plain):
        mistakes.add(node, "isolated", "expected a string that says why, such as maintenance; or off")
        return None
    return str(node.plain)


def _shared(node: Node | None, mistakes: Mistakes) -> SharedSettings | None:
    """Return what several processes share, or None."""
    if node is None or (node.kind == "scalar" and node.plain in OFF):
        return None
    before = mistakes.count
    values = read_section(SharedSettings, node, "shared", mistakes)
    if "url" not in values and mistakes.count == before:
        mistakes.add(node, "shared", "needs url: the store, such as ${RESILIENCE_SHARED_URL}")
    return unchecked(SharedSettings, values) if mistakes.count == before else None


def _policies(
    nodes: Mapping[str, Node], listed: tuple[str, ...] | None, below: Layer, mistakes: Mistakes
) -> dict[str, Policy]:
    """Read the policies of a file; one with a mistake is left out."""
    read_ones = ((name, policy(name, node, _codes_for(node, listed, below), mistakes)) for name, node in nodes.items())
    return {name: settings for name, settings in read_ones if settings is not None}


def _tables(registries: Iterable[str], node: Node, mistakes: Mistakes) -> dict[str, core.CodeTable]:
    """Read the tables that are named by path, so that their mistakes are reported now and not at the first failure."""
    tables: dict[str, core.CodeTable] = {}
    paths = list(dict.fromkeys(name for name in registries if not is_known(name)))
    if len(paths) > _MAX_TABLES:
        mistakes.add(node, "codes", f"{len(paths)} tables: the maximum per file is {_MAX_TABLES}")
        return tables
    for path in paths:
        try:
            tables[path] = CodeRegistry.load(path)
        except PolicyError as error:
            mistakes.problems += error.problems
    return tables


def _codes_for(node: Node, listed: tuple[str, ...] | None, below: Layer) -> tuple[str, ...] | None:
    """Return the registries of a policy that lists none: those of the file, else those of the policy it extends."""
    if listed is not None:
        return listed
    parent = parent_of(node)
    inherited = below.policy_set.policies.get(str(parent.value)) if parent is not None else None
    return inherited.codes if inherited is not None else None


def _operations(node: Node | None, policies: set[str], mistakes: Mistakes) -> tuple[OperationSettings, ...]:
    if node is None or (node.kind == "scalar" and node.plain is None):
        return ()
    if node.kind != "list":
        mistakes.add(node, "operations", 'expected a list such as - {match: "fetch_*", policy: read}')
        return ()
    if len(node.value) > _MAX_OPERATIONS:
        mistakes.add(node, "operations", f"{len(node.value)} entries: the maximum per file is {_MAX_OPERATIONS}")
        return ()
    read_ones = (_operation(entry, f"operations[{i}]", policies, mistakes) for i, entry in enumerate(node.value))
    return tuple(entry for entry in read_ones if entry is not None)


def _unknown_policy(node: Node, name: str, policies: set[str], mistakes: Mistakes) -> str:
    """Return the message about the name of a policy that does not exist; a hidden value is not shown."""
    if node.mask:
        return f"{node.mask} is not a policy; {mistakes.hint('', policies)}"
    return f"no policy {name!r}; {mistakes.hint(str(name), policies)}"


def _operation(entry: Node, path: str, policies: set[str], mistakes: Mistakes) -> OperationSettings | None:
    before = mistakes.count
    values = read_section(OperationSettings, entry, path, mistakes)
    if "match" not in values and mistakes.count == before:
        mistakes.add(entry, path, "needs match: a glob of operation names")
    if values.get("policy") is not None and values["policy"] not in policies:
        name = node_at(entry, "policy")
        mistakes.add(name, f"{path}.policy", _unknown_policy(name, values["policy"], policies, mistakes))
    return unchecked(OperationSettings, values) if mistakes.count == before else None
