"""Checks a policy file or code table: returns its mistakes, or warnings about settings that have no effect.

The message of a warning begins with "warning: ". Its position is that of the setting to change.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

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
from .written_values import written_values

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
        if root is not None and _is_code_table(root):
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


def _is_code_table(root: Node) -> bool:
    """Return whether a file has any key of a code table; policy files share none of these keys."""
    return root.kind == "mapping" and not _TABLE_KEYS.isdisjoint(key.value for key, _ in root.value)


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


def _setting_warnings(layer: Layer, file: str) -> Iterator[tuple[Node, str, str]]:
    """Yield the node, path and message of each warning about the settings of a file's policies."""
    for name, node in layer.nodes.items():
        # `layer.nodes` also has the built-in policies, whose warnings are not about this file.
        if node.file == file:
            policy = layer.policy_set.policies[name]
            operations = [entry for entry in layer.policy_set.operations if entry.policy == name]
            of_policy = policy_warnings(policy, operations)
            for paths, message in (*of_policy, *pass_through_warnings(policy), *deprecated_settings(policy)):
                setting, path = _setting_to_change(node, paths, file)
                yield setting, ".".join(filter(None, ("policies", name, path))), message


def _value_warnings(layer: Layer, file: str) -> Iterator[tuple[Node, str, str]]:
    """Yield the warnings about values as a file's policies write them."""
    for name, node in layer.nodes.items():
        if node.file == file:
            for value, path, message in written_values(layer.policy_set.policies[name], node, file):
                yield value, ".".join(filter(None, ("policies", name, path))), message


def _warnings(layer: Layer, file: str, names: tuple[str, ...]) -> list[Problem]:
    warnings = Mistakes(file, layer.hidden)
    try:
        for key, path, message in layer.old_keys:
            warnings.add(key, path, f"warning: {message}")
        for setting, path, message in (*_setting_warnings(layer, file), *_value_warnings(layer, file)):
            warnings.add(setting, path, f"warning: {message}")
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
