"""Reads a policy's merged node into a `Policy`, with the keys whose form differs between files and Python."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..._core.call.stage_plugins import missing_stage
from ..._core.policy.policy import Policy
from ..._core.policy.section import unchecked
from ..._core.policy.value_text import listed, shown
from ..codes.code_tables import builtin_names, is_known
from ..validation.file_values import read_section
from .mistakes import Mistakes
from .nodes import OFF, Node, field_of

__all__ = ["codes", "policy"]

_POLICY_KEYS = ("name", "codes", "stages")
"""Fields of `Policy` that have another form in a file."""


def policy(name: str, node: Node, default_codes: tuple[str, ...] | None, mistakes: Mistakes) -> Policy | None:
    """Read a policy; returns None if it has a mistake.

    Args:
        name: the policy's name.
        node: its mapping, merged with what it inherits.
        default_codes: the registries of a policy that lists none.
        mistakes: collects the mistakes.
    """
    path = f"policies.{name}"
    before = mistakes.count
    values = read_section(Policy, node, path, mistakes, skip=_POLICY_KEYS, also=("extends", "codes", "stages"))
    stages = field_of(node, "stages")
    if stages is not None:
        values["stages"] = _stages(stages, f"{path}.stages", mistakes)
    own = field_of(node, "codes")
    values["codes"] = codes(own, f"{path}.codes", mistakes) if own is not None else default_codes or ("http",)
    return unchecked(Policy, {"name": name, **values}) if mistakes.count == before else None


def _stages(node: Node, path: str, mistakes: Mistakes) -> tuple[Any, ...]:
    """Read a list of stages; an item is a name, or a name with options: `- {pause: {seconds: 1}}`."""
    if node.kind == "scalar" and node.plain in OFF:
        return ()
    uses: list[Any] = []
    for index, item in enumerate(node.value if node.kind == "list" else [node]):
        plain = item.plain
        if item.kind == "mapping" and len(plain) == 1 and isinstance(next(iter(plain.values())), dict):
            uses.append(next(iter(plain.items())))
        elif item.kind == "scalar" and item.value:
            uses.append((str(item.value), {}))
        else:
            mistakes.add(item, f"{path}[{index}]", "expected a stage's name, or {name: {option: value}}")
            continue
        missing = missing_stage(uses[-1][0])
        if missing:
            mistakes.add(item, f"{path}[{index}]", f"{item.mask} is not an installed stage" if item.mask else missing)
    return tuple(uses)


def codes(node: Node, path: str, mistakes: Mistakes) -> tuple[str, ...]:
    """Read a list of registries; an item is a name, or the path of a table relative to the file."""
    names = []
    for index, item in enumerate(node.value if node.kind == "list" else [node]):
        name = str(item.value) if item.kind == "scalar" else ""
        if is_known(name):
            names.append(name)
            continue
        table = Path(os.path.dirname(item.file), name)
        if name.endswith((".yaml", ".yml")) and "\0" not in name and table.is_file():
            names.append(str(table))
        else:
            near = "" if item.mask else mistakes.nearest(name, builtin_names())
            hint = f"did you mean {near}?" if near else f"available: {listed(builtin_names())}, or the path of a table"
            mistakes.add(item, f"{path}[{index}]", f"no code registry {item.mask or shown(name)}; {hint}")
    return tuple(names)
