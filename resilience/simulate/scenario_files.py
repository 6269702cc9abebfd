"""Loads scenario files: shipped ones by name, others by path. All mistakes of a file are reported at once."""

from __future__ import annotations

import os
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from .._core.base.deprecation import warn
from .._core.policy.section import unchecked
from ..config.loading.mistakes import Mistakes
from ..config.loading.nodes import Node
from ..config.loading.shipped_files import names_in, package_file
from ..config.loading.yaml_reader import read_file
from ..config.validation.file_values import read_section
from ..errors import PolicyError, Problem
from .scenario import Scenario

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["load_scenario", "read_scenario", "scenario_path", "shipped_scenarios"]

_SHIPPED = "simulate/scenarios"


def shipped_scenarios() -> tuple[str, ...]:
    """Return the names of the shipped scenarios, sorted."""
    return names_in(package_file(_SHIPPED))


def scenario_path(name: str) -> Path | Traversable:
    """Return the path of a scenario, given a shipped one's name or a path.

    Raises:
        PolicyError: no shipped scenario has that name, and it does not look like a path.
    """
    if name in shipped_scenarios():
        return package_file(f"{_SHIPPED}/{name}.yaml")
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return Path(name)
    near = get_close_matches(name, shipped_scenarios(), 1)
    hint = f"did you mean {near[0]}?" if near else f"available: {', '.join(shipped_scenarios())}"
    raise PolicyError(f"no scenario {name!r}, and not the path of a YAML file; {hint}")


def load_scenario(source: str | os.PathLike[str]) -> Scenario:
    """Load a scenario from a file, or a shipped one by its name. A key of version 0.1 causes a `DeprecationWarning`.

    Raises:
        PolicyError: the file cannot be read or has mistakes, each as `file:line:col: path: message`.
    """
    scenario, old_keys = read_scenario(source)
    for problem in old_keys:
        warn(str(problem))
    return scenario


def read_scenario(source: str | os.PathLike[str]) -> tuple[Scenario, list[Problem]]:
    """Load a scenario as `load_scenario` does; return it and the warnings about keys of version 0.1.

    Raises:
        PolicyError: as `load_scenario`.
    """
    path = scenario_path(source) if isinstance(source, str) else source
    root, mistakes = read_file(path), Mistakes(str(path))
    if root is None or root.kind != "mapping":
        problem = "the file is empty" if root is None else "expected a mapping with title, clients, rate, incidents, …"
        mistakes.add(root or Node("", 1, 1), "", f"{problem}; a scenario file begins with version: 1")
        mistakes.end()
    assert root is not None
    root, old_keys = _rewrite_old_keys(root, mistakes)
    return _read(root, mistakes), old_keys


def _rewrite_old_keys(root: Node, mistakes: Mistakes) -> tuple[Node, list[Problem]]:
    """Return the file's node with new keys only, and a warning for each old key that was in it."""
    # Only the top level has renamed keys. A key that is given twice is reported when the new keys are read.
    keys = {key.value for key, _ in root.value}
    pairs, warnings = [], []
    for key, value in root.value:
        spelling = Scenario.OLD_SPELLINGS.get(key.value)
        if spelling is None:
            pairs.append((key, value))
        elif spelling.new in keys:
            mistakes.add(key, key.value, spelling.conflict())
        else:
            pairs.append((replace(key, value=spelling.new), value))
            message = f"warning: {spelling.deprecation(None)}"
            warnings.append(Problem(mistakes.file, key.line, key.column, key.value, message))
    return replace(root, value=pairs), warnings


def _read(root: Node, mistakes: Mistakes) -> Scenario:
    versions = [value for key, value in root.value if key.value == "version"]
    for duplicate in versions[1:]:
        mistakes.add(duplicate, "version", "duplicate key")
    if versions and versions[0].plain != 1:
        mistakes.add(versions[0], "version", f"unknown version {versions[0].value!r} (known: 1)")
    pairs = [pair for pair in root.value if pair[0].value != "version"]
    values = read_section(Scenario, Node(pairs, root.line, root.column, "mapping", False, root.file), "", mistakes)
    mistakes.end()
    return unchecked(Scenario, values)
