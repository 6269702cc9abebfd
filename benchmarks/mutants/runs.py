"""Runs the tests against mutants, in a copy of the tree and in processes of their own."""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .changes import Mutant
from .children import SURVIVED
from .modules import core_modules
from .patching import changed_functions

__all__ = ["MODES", "TESTS", "Ends", "run_mutants"]

TESTS = (
    "tests/core",
    "tests/entry",
    "tests/pipeline",
    "tests/drivers",
    "tests/config",
    "tests/stories",
    "tests/issues",
    "tests/traps",
)
MODES = ("in_place", "reimport")
COPIED = ("benchmarks", "docs", "policies", "resilience", "tests", "pyproject.toml", "README.md", "CHANGELOG.md")
Ends = dict[int, dict[str, Any]]
"""The result of each mutant by its number: how it ended, and the test that killed it."""


def run_mutants(chosen: list[Mutant], tree: Path, scratch: Path, options: argparse.Namespace) -> Ends:
    """Run the mutants on a copy of the tree; those that were not reached in time have no result.

    Raises:
        SystemExit: the tests fail without a mutant.
    """
    for name in COPIED:
        copy = shutil.copytree if (tree / name).is_dir() else shutil.copy
        copy(tree / name, scratch / name)
    until = time.monotonic() + 60 * options.minutes
    jobs = _jobs(chosen, tree)
    results = scratch / "ends.jsonl"
    results.touch()
    module = chosen[0].module
    # Without any change, to see that the tests pass in the copy.
    original = {"module": module, "source": _source(tree, module), "first": 1, "last": 10_000}
    shared = {
        "results": str(results),
        "parallel": options.jobs,
        "slow": options.slow,
        "max_tests": options.max_tests,
        "tests": list(options.tests),
        "map": str((options.map or scratch / "map.json").resolve()),
    }
    for number, mode in enumerate(options.modes, 1):
        jobs[mode].insert(0, original | {"id": -number})  # the original source must survive its own tests
        _run_mode(mode, shared | {"jobs": jobs[mode]}, scratch, until)
    ends = {end["id"]: end for end in map(json.loads, results.read_text().splitlines())}
    broken = [ends[one] for one in (-1, -2) if one in ends and ends[one]["end"] != SURVIVED]
    if broken or -1 not in ends:
        raise SystemExit(f"the tests fail without a mutant: {broken}")
    return ends


def _source(tree: Path, module: str) -> str:
    return core_modules(tree)[module].read_text(encoding="utf-8")


def _jobs(chosen: list[Mutant], tree: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the jobs of each mode."""
    jobs: dict[str, list[dict[str, Any]]] = {mode: [] for mode in MODES}
    for number, mutant in enumerate(chosen):
        source = _source(tree, mutant.module)
        first, last = _statement(source, mutant.line)
        job = {"id": number, "module": mutant.module, "source": mutant.source, "first": first, "last": last}
        jobs["reimport" if changed_functions(source, mutant.source, "") is None else "in_place"].append(job)
    return jobs


def _run_mode(mode: str, order: dict[str, Any], scratch: Path, until: float) -> None:
    file = scratch / f"{mode}.json"
    file.write_text(json.dumps(order))
    command = [sys.executable, "-m", f"benchmarks.mutants.{mode}", str(file)]
    with (scratch / f"{mode}.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=scratch, env=os.environ | {"PYTHONPATH": str(scratch)}, stdout=log, stderr=log
        )
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.terminate()
            process.wait()
    # -15 is the SIGTERM of `terminate` when the time is up.
    if process.returncode not in (0, -15):
        print((scratch / f"{mode}.log").read_text()[-4000:], file=sys.stderr)


def _statement(source: str, line: int) -> tuple[int, int]:
    """Return the first and last line of the innermost statement at a line; of one with a body, of its head alone."""
    best: tuple[int, int] | None = None
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.stmt, ast.ExceptHandler)) and node.lineno <= line <= node.end_lineno:
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
            if line <= last:
                best = max(best or (0, 0), (node.lineno, last))
    return best or (line, line)
