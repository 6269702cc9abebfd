"""Scenario files: the shipped ones by name, others by path; every mistake at once, with its place."""

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
    """Return where a scenario stands, by a shipped one's name or by a path.

    Raises:
        PolicyError: no shipped one has that name, and it is no path either.
    """
    if name in shipped_scenarios():
        return _SHIPPED / f"{name}.yaml"
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return Path(name)
    near = get_close_matches(name, shipped_scenarios(), 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(shipped_scenarios())}"
    raise PolicyError(f"no scenario {name!r}; {hint}, or the path of a YAML file")


def load_scenario(source: str | os.PathLike[str]) -> Scenario:
    """Read a scenario: a shipped one by its name, others by their path.

    Raises:
        PolicyError: it is not there, or is wrong: every mistake as `file:line:col: path: what is wrong and allowed`.
    """
    path = scenario_path(source) if isinstance(source, str) else source
    root, found = read_file(path), Mistakes(os.fspath(path))
    if root is None or root.kind != "mapping":
        told = "the file is empty" if root is None else "expected a mapping with title, clients, rate, troubles, …"
        found.add(root or Node("", 1, 1), "", f"{told}; a scenario file begins with version: 1")
        found.end()
    assert root is not None
    return _read(root, found)


def _read(root: Node, found: Mistakes) -> Scenario:
    versions = [value for key, value in root.value if key.value == "version"]
    for extra in versions[1:]:
        found.add(extra, "version", "stands here twice")
    if versions and versions[0].plain != 1:
        found.add(versions[0], "version", f"{versions[0].value!r} is no version that is known; allowed is 1")
    pairs = [pair for pair in root.value if pair[0].value != "version"]
    values = section(Scenario, Node(pairs, root.line, root.column, "mapping", False, root.file), "", found)
    found.end()
    try:
        return Scenario(**values)
    except PolicyError as error:
        for problem in error.problems:
            found.add(node_at(root, problem.path), problem.path, problem.message)
        found.end()
        raise
