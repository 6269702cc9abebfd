"""What `check` says of a policy file: every mistake, else warnings about settings that cannot do what they say.

A warning is a problem whose message begins so. It stands where the setting does that could be changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ...errors import PolicyError, Problem
from ..codes.code_tables import CodeRegistry
from ..loading.mistakes import Mistakes
from ..loading.nodes import Node, node_at
from ..loading.policy_file import Layer, builtin_layer, read
from ..loading.yaml_reader import read_file
from .policy_warnings import policy_warnings
from .unreachable import unreachable_entries

__all__ = ["lint"]

_OF_TABLES = {"envelope", "rules", "sources", "texts"}


def lint(path: str | os.PathLike[str], *, names: Iterable[str] = ()) -> list[Problem]:
    """Return every mistake of a policy file or a code table, and warnings where a policy file has none.

    Args:
        path: the file.
        names: operations of the clients that a built-in policy is for, to tell names that are misspelled.
    """
    file = os.fspath(path)
    try:
        root = read_file(path)
        if root is not None and root.kind == "mapping" and _OF_TABLES.intersection(key.value for key, _ in root.value):
            CodeRegistry.load(path)
            return []
        layer = read(root, file, builtin_layer())
    except PolicyError as error:
        return list(error.problems)
    return _warnings(layer, file, tuple(names))


def _warnings(layer: Layer, file: str, names: tuple[str, ...]) -> list[Problem]:
    found = Mistakes(file, layer.hidden)
    try:
        for key, path, message in layer.old_keys:
            found.add(key, path, f"warning: {message}")
        for name, node in layer.nodes.items():
            if node.file == file:
                for paths, message in policy_warnings(layer.made.policies[name]):
                    at, path = _place(node, paths, file)
                    found.add(at, ".".join(filter(None, ("policies", name, path))), f"warning: {message}")
        for one, path, message in unreachable_entries(layer, file, names):
            found.add(one, path, f"warning: {message}")
        found.end()
    except PolicyError as error:
        return list(error.problems)
    return []


def _place(node: Node, paths: tuple[str, ...], file: str) -> tuple[Node, str]:
    """Return the last setting of the file among those that contradict each other; what is inherited comes first."""
    places = [(node_at(node, path), path) for path in paths]
    own = [one for one in places if one[0].file == file and one[0] is not node]
    return max(own, key=lambda one: (one[0].line, one[0].column)) if own else (node, "")
