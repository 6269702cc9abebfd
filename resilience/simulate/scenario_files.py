"""Loads scenario files: shipped ones by name, others by path. All mistakes of a file are reported at once."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from ..config.loading.mistakes import Mistakes
from ..config.loading.nodes import Node, node_at
from ..config.loading.section_nodes import section
from ..config.loading.yaml_reader import read_file
from ..errors import PolicyError
from .scenario import Scenario

__all__ = ["load_scenario", "scenario_path", "shipped_scenarios"]

_SHIPPED = Path(__file__).parent / "scenarios"


def shipped_scenarios() -> tuple[str, ...]:
    """Return the names of the shipped scenarios, sorted."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.yaml")))


def scenario_path(name: str) -> Path:
    """Return the path of a scenario, given a shipped one's name or a path.

    Raises:
        PolicyError: no shipped scenario has that name, and it does not look like a path.
    """
    if name in shipped_scenarios():
        return _SHIPPED / f"{name}.yaml"
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return Path(name)
    near = get_close_matches(name, shipped_scenarios(), 1)
    hint = f"did you mean {near[0]}?" if near else f"available: {', '.join(shipped_scenarios())}"
    raise PolicyError(f"no scenario {name!r}, and not the path of a YAML file; {hint}")


def load_scenario(source: str | os.PathLike[str]) -> Scenario:
    """Load a scenario, given a shipped one's name or a path.

    Raises:
        PolicyError: the file cannot be read or has mistakes, each as `file:line:col: path: message`.
    """
    path = scenario_path(source) if isinstance(source, str) else source
    root, mistakes = read_file(path), Mistakes(os.fspath(path))
    if root is None or root.kind != "mapping":
        problem = "the file is empty" if root is None else "expected a mapping with title, clients, rate, troubles, …"
        mistakes.add(root or Node("", 1, 1), "", f"{problem}; a scenario file begins with version: 1")
        mistakes.end()
    assert root is not None
    return _read(root, mistakes)


def _read(root: Node, mistakes: Mistakes) -> Scenario:
    versions = [value for key, value in root.value if key.value == "version"]
    for duplicate in versions[1:]:
        mistakes.add(duplicate, "version", "duplicate key")
    if versions and versions[0].plain != 1:
        mistakes.add(versions[0], "version", f"unknown version {versions[0].value!r} (known: 1)")
    pairs = [pair for pair in root.value if pair[0].value != "version"]
    values = section(Scenario, Node(pairs, root.line, root.column, "mapping", False, root.file), "", mistakes)
    mistakes.end()
    try:
        return Scenario(**values)
    except PolicyError as error:
        for problem in error.problems:
            # The settings know the path of a mistake, the file its line and column.
            mistakes.add(node_at(root, problem.path), problem.path, problem.message)
        mistakes.end()
        raise
