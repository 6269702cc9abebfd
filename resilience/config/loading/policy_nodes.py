"""A policy's merged node → a `Policy`: its sections, and what a file says in another way than the class takes it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..._core.call.stage_plugins import missing_stage
from ..._core.policy.policy import Policy
from ..._core.policy.units import listed, shown
from ...errors import PolicyError
from ..codes.code_tables import builtin_names, is_known
from .mistakes import Mistakes
from .nodes import Node, node_at
from .section_nodes import OFF, section

__all__ = ["codes", "policy"]

_POLICY_KEYS = ("name", "codes", "stages")
"""Fields of `Policy` that a file gives in another way."""


def policy(name: str, node: Node, default_codes: tuple[str, ...] | None, found: Mistakes) -> Policy | None:
    """Make a policy of its merged node."""
    path = f"policies.{name}"
    before = found.count
    values = section(Policy, node, path, found, skip=_POLICY_KEYS, also=("extends", "codes", "stages"))
    named = next((value for key, value in node.value if key.value == "stages"), None)
    if named is not None:
        values["stages"] = _stages(named, f"{path}.stages", found)
    own = next((value for key, value in node.value if key.value == "codes"), None)
    values["codes"] = codes(own, f"{path}.codes", found) if own is not None else default_codes or ("http",)
    if found.count > before:
        return None
    try:
        return Policy(name=name, **values)
    except PolicyError as error:
        for problem in error.problems:
            at = node_at(node, problem.path)
            if at.file != node.file:  # an inherited setting is right where it stands: the deadline over it is not
                at = node_at(node, "deadline")
            found.add(at, f"{path}.{problem.path}", problem.message)
        return None


def _stages(node: Node, path: str, found: Mistakes) -> tuple[Any, ...]:
    """Read a list of stages: names, or one name with its options: `- {pause: {seconds: 1}}`."""
    if node.kind == "scalar" and node.plain in OFF:
        return ()
    uses: list[Any] = []
    for place, one in enumerate(node.value if node.kind == "list" else [node]):
        told = one.plain
        if one.kind == "mapping" and len(told) == 1 and isinstance(next(iter(told.values())), dict):
            uses.append(next(iter(told.items())))
        elif one.kind == "scalar" and one.value:
            uses.append((str(one.value), {}))
        else:
            found.add(one, f"{path}[{place}]", "expected a stage's name, or {name: {option: value}}")
            continue
        told = missing_stage(uses[-1][0])
        if told and one.mask:
            told = f"{one.mask} is no stage that is installed"
        if told:
            found.add(one, f"{path}[{place}]", told)
    return tuple(uses)


def codes(node: Node, path: str, found: Mistakes) -> tuple[str, ...]:
    """Read a list of registries: names, or paths of tables beside the file that names them."""
    names = []
    for place, one in enumerate(node.value if node.kind == "list" else [node]):
        name = str(one.value) if one.kind == "scalar" else ""
        if is_known(name):
            names.append(name)
            continue
        beside = Path(os.path.dirname(one.file), name)
        if name.endswith((".yaml", ".yml")) and "\0" not in name and beside.is_file():
            names.append(str(beside))
        else:
            near = "" if one.mask else found.nearest(name, builtin_names())
            hint = f"did you mean {near}?" if near else f"there are {listed(builtin_names())}, or the path of a table"
            found.add(one, f"{path}[{place}]", f"no code registry {one.mask or shown(name)}; {hint}")
    return tuple(names)
