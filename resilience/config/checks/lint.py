"""Checks a policy file or code table: returns its mistakes, or warnings about settings that have no effect.

The message of a warning begins with "warning: ". Its position is that of the setting to change.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ...errors import PolicyError, Problem
from ..codes.code_tables import CodeRegistry
from ..loading.layers import Layer, read
from ..loading.mistakes import Mistakes
from ..loading.nodes import Node, node_at
from ..loading.policy_file import builtin_layer
from ..loading.yaml_reader import read_file
from .class_names import pass_through_warnings, row_name_warnings
from .deprecated_settings import deprecated_settings
from .policy_warnings import policy_warnings
from .unreachable import unreachable_entries

__all__ = ["lint"]

_TABLE_KEYS = {"envelope", "rules", "sources", "texts"}


def lint(path: str | os.PathLike[str], *, names: Iterable[str] = ()) -> list[Problem]:
    """Return all mistakes of a policy file or code table, or the warnings about a policy file without mistakes.

    Args:
        path: the file.
        names: operations of the clients of the built-in policies, to find misspelled names.
    """
    file = os.fspath(path)
    try:
        root = read_file(path)
        # A file with any key of a code table is one; policy files share none of these keys.
        if root is not None and root.kind == "mapping" and _TABLE_KEYS.intersection(key.value for key, _ in root.value):
            CodeRegistry.load(path)
            return _name_warnings(root, file)
        layer = read(root, file, builtin_layer())
    except PolicyError as error:
        return list(error.problems)
    problems = _warnings(layer, file, tuple(names))
    for table in layer.policy_set.tables:
        table_root = read_file(table)
        problems += [] if table_root is None else _name_warnings(table_root, table)
    return problems


def _name_warnings(root: Node, file: str) -> list[Problem]:
    """Return the warnings about class names in the rows of a code table."""
    warnings = Mistakes(file, {})
    try:
        for node, path, message in row_name_warnings(root):
            warnings.add(node, path, f"warning: {message}")
        warnings.end()
    except PolicyError as error:
        return list(error.problems)
    return []


def _warnings(layer: Layer, file: str, names: tuple[str, ...]) -> list[Problem]:
    warnings = Mistakes(file, layer.hidden)
    try:
        for key, path, message in layer.old_keys:
            warnings.add(key, path, f"warning: {message}")
        for name, node in layer.nodes.items():
            # `layer.nodes` also has the built-in policies, whose warnings are not about this file.
            if node.file == file:
                policy = layer.policy_set.policies[name]
                operations = [entry for entry in layer.policy_set.operations if entry.policy == name]
                of_policy = policy_warnings(policy, operations)
                found = *of_policy, *pass_through_warnings(policy), *deprecated_settings(policy)
                for paths, message in found:
                    setting, path = _setting_to_change(node, paths, file)
                    warnings.add(setting, ".".join(filter(None, ("policies", name, path))), f"warning: {message}")
        for entry, path, message in unreachable_entries(layer, file, names):
            warnings.add(entry, path, f"warning: {message}")
        warnings.end()
    except PolicyError as error:
        return list(error.problems)
    return []


def _setting_to_change(node: Node, paths: tuple[str, ...], file: str) -> tuple[Node, str]:
    """Return the last of the contradicting settings that this file contains, or its policy if all are inherited."""
    settings = [(node_at(node, path), path) for path in paths]
    own = [(setting, path) for setting, path in settings if setting.file == file and setting is not node]
    return max(own, key=lambda item: (item[0].line, item[0].column)) if own else (node, "")
