"""Loads a policy file or a mapping over the built-in policies, which it may extend or replace.

A file with a mistake is rejected as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ..._core.base.deprecation import warn
from ..._core.policy.policy_set import PolicySet
from .compiled_files import BUILT_IN
from .layers import Layer, read
from .mappings import as_node
from .mistakes import MAX_MISTAKES, Mistakes
from .shipped_files import shipped
from .yaml_reader import read_file

__all__ = ["builtin_layer", "from_mapping", "load"]


def load(path: str | os.PathLike[str], *, report: Callable[[str], None] | None = warn) -> PolicySet:
    """Read a policy file as a layer over the built-in policies.

    Args:
        path: the file.
        report: called with `file:line:col: path: the new spelling` for each key of version 0.1 in the file; None
            reports nothing.

    Raises:
        PolicyError: all mistakes, each as `file:line:col: path: what is wrong and what is allowed`.
    """
    file = os.fspath(path)
    layer = read(read_file(path), file, builtin_layer())
    if report is not None:
        for text in _old_key_reports(layer, file):
            report(text)
    return layer.policy_set


def _old_key_reports(layer: Layer, file: str) -> list[str]:
    """Return a text for each key of version 0.1, with its position; values from the environment are masked."""
    found = Mistakes(file, layer.hidden)
    for key in layer.old_keys[:MAX_MISTAKES]:  # for more than these `add` raises
        found.add(key.node, key.path, key.message)
    return [str(problem) for problem in found.problems]


def from_mapping(mapping: Mapping[str, Any]) -> PolicySet:
    """Read a mapping with the content of a policy file.

    Raises:
        PolicyError: all mistakes in it.
    """
    layer = read(as_node(mapping), "<mapping>", builtin_layer())
    for key in layer.old_keys:
        warn(f"{key.path}: {key.message}")
    return layer.policy_set


@cache
def builtin_layer() -> Layer:
    """Return the layer of the built-in policies, which is under every file."""
    layer = Layer({}, PolicySet({}))
    for name in BUILT_IN:
        path = shipped(f"{name}.yaml")
        layer = read(read_file(path), str(path), layer)
    return Layer(layer.nodes, PolicySet(layer.policy_set.policies, (), "built-in"))
