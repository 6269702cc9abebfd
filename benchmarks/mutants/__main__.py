"""Mutants of `resilience._core`, and the tests that notice them.

    python -m benchmarks.mutants [MODULE ...] [-j N] [--every N] [--minutes M] [--write]

Works on a copy of the source and the tests, and needs the extra `mutants`. The table tells for each module
how many mutants there are and how many the tests kill; each survivor is told with the reason why it lives,
which `survivors.yaml` has. Exits with 1 when fewer than 95 % are killed or when a survivor has no reason.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ..rounds import RESULTS, table
from .changes import Mutant, mutants
from .children import KILLED, LATE, SURVIVED
from .patching import changed

TREE = Path(__file__).parents[2]
COPIED = ("benchmarks", "docs", "policies", "resilience", "tests", "pyproject.toml", "README.md", "CHANGELOG.md")
ROOMS = ("tests/core", "tests/config", "tests/stories", "tests/issues", "tests/traps")
ENOUGH = 0.95
Ends = dict[int, dict[str, Any]]


def main() -> int:
    given = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    modules = given.modules or sorted(one.stem for one in (TREE / "resilience" / "_core").glob("*.py"))
    made = [one for name in modules for one in mutants(name, _source(name))]
    chosen = [one for at, one in enumerate(made) if at % given.every == given.seed % given.every]
    if given.again:
        told = [one for one in _read(given.again) if one["end"] == SURVIVED]
        alive = {(one["place"].partition(":")[0], one["before"], one["after"]) for one in told}
        chosen = [one for one in made if _key(one) in alive]
    print(f"{len(chosen)} of {len(made)} mutants of {len(modules)} modules", file=sys.stderr, flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        ends = _run(chosen, Path(scratch), given)
    if given.log:
        told = [
            {"place": one.place, "operator": one.operator, "before": one.before, "after": one.after} | ends[at]
            for at, one in enumerate(chosen)
            if at in ends
        ]
        given.log.write_text("\n".join(map(json.dumps, told)))
    text, well = _report(chosen, len(made), ends, given, time.monotonic() - began)
    print(text)
    if given.write:
        (RESULTS / "mutants.md").write_text(text, encoding="utf-8")
    return 0 if well else 1


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__.partition("\n")[0])
    options.add_argument("modules", nargs="*", metavar="MODULE", help="modules of _core; none means all")
    options.add_argument("-j", "--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    options.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth mutant")
    options.add_argument("--seed", type=int, default=0, metavar="N", help="which one of every N")
    options.add_argument("--minutes", type=float, default=600, metavar="M", help="stop after these, whatever is left")
    options.add_argument(
        "--slow", type=float, default=0.3, metavar="S", help="leave out tests that take more of a processor"
    )
    options.add_argument("--most", type=int, default=10_000, metavar="N", help="run at most so many tests for a mutant")
    options.add_argument("--rooms", nargs="*", default=ROOMS, metavar="PATH", help="tests that are run")
    options.add_argument(
        "--ways", nargs="*", default=("warm", "cold"), help="warm: inside functions; cold: around them"
    )
    options.add_argument(
        "--map", type=Path, metavar="FILE", help="where to keep which tests reach which lines, for the next run"
    )
    options.add_argument("--log", type=Path, metavar="FILE", help="write how each mutant ended, a line of JSON each")
    options.add_argument("--again", type=Path, metavar="FILE", help="run only those that survived in this log")
    options.add_argument("--write", action="store_true", help="also write the tables to benchmarks/results/")
    return options.parse_args()


def _read(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def _source(name: str) -> str:
    return (TREE / "resilience" / "_core" / f"{name}.py").read_text(encoding="utf-8")


def _run(chosen: list[Mutant], scratch: Path, given: argparse.Namespace) -> Ends:
    """Run the mutants on a copy; return how each ended, those that were not reached left out."""
    for name in COPIED:
        copy = shutil.copytree if (TREE / name).is_dir() else shutil.copy
        copy(TREE / name, scratch / name)
    until = time.monotonic() + 60 * given.minutes
    works: dict[str, list[dict[str, Any]]] = {"warm": [], "cold": []}
    for number, one in enumerate(chosen):
        source = _source(one.module)
        first, last = _statement(source, one.line)
        work = {"id": number, "module": one.module, "source": one.source, "first": first, "last": last}
        works["cold" if changed(source, one.source, "") is None else "warm"].append(work)
    told = scratch / "ends.jsonl"
    told.touch()
    whole = {"module": chosen[0].module, "source": _source(chosen[0].module), "first": 1, "last": 10_000}
    shared = {"told": str(told), "jobs": given.jobs, "slow": given.slow, "most": given.most, "rooms": list(given.rooms)}
    shared["map"] = str((given.map or scratch / "map.json").resolve())
    for at, way in enumerate(given.ways, 1):
        works[way].insert(0, whole | {"id": -at})  # no mistake at all: it must survive
        _ask(way, shared | {"works": works[way]}, scratch, until)
    ends = {end["id"]: end for end in map(json.loads, told.read_text().splitlines())}
    broken = [ends[one] for one in (-1, -2) if one in ends and ends[one]["end"] != SURVIVED]
    if broken or -1 not in ends:
        raise SystemExit(f"the tests fail without any mutant: {broken}")
    return ends


def _ask(way: str, told: dict[str, Any], scratch: Path, until: float) -> None:
    order = scratch / f"{way}.json"
    order.write_text(json.dumps(told))
    command = [sys.executable, "-m", f"benchmarks.mutants.{way}", str(order)]
    with (scratch / f"{way}.log").open("w") as log:
        running = subprocess.Popen(
            command, cwd=scratch, env=os.environ | {"PYTHONPATH": str(scratch)}, stdout=log, stderr=log
        )
        try:
            running.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        finally:
            running.terminate()
            running.wait()
    if running.returncode not in (0, -15):
        print((scratch / f"{way}.log").read_text()[-4000:], file=sys.stderr)


def _statement(source: str, line: int) -> tuple[int, int]:
    """Return the first and last line of the innermost statement there; of one with a body, of its head alone."""
    best: tuple[int, int] | None = None
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.stmt, ast.ExceptHandler)) and node.lineno <= line <= node.end_lineno:
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
            if line <= last:
                best = max(best or (0, 0), (node.lineno, last))
    return best or (line, line)


def _report(chosen: list[Mutant], of: int, ends: Ends, given: argparse.Namespace, seconds: float) -> tuple[str, bool]:
    known = yaml.safe_load((Path(__file__).parent / "survivors.yaml").read_text(encoding="utf-8")) or []
    reasons = {(one["module"], one["before"], one["after"]): one["why"] for one in known}
    run = [(one, ends[at]["end"]) for at, one in enumerate(chosen) if at in ends]
    killed = sum(end in (KILLED, LATE) for _, end in run)
    alive = [one for one, end in run if end == SURVIVED]
    bare = [one for one in alive if _key(one) not in reasons]
    share = killed / max(1, len(run))
    tests = f"{', '.join(given.rooms)}, those that need less than {given.slow:g} s of a processor"
    ran = f"{len(run)} of {of} mutants, {share:.1%} killed, {seconds / 60:.0f} minutes"
    parts = [
        "# Mutants of the core",
        f"`python -m benchmarks.mutants`, with the operators of cosmic-ray: {ran}. Tests: {tests}.",
        table(("module", "mutants", "killed", "survived", "%"), _rows(run)),
        "## Survivors",
        table(("where", "what", "why"), [_told(one, reasons) for one in alive]),
    ]
    return "\n\n".join(parts) + "\n", share >= ENOUGH and not bare


def _rows(run: list[tuple[Mutant, int]]) -> Iterator[tuple[object, ...]]:
    for name in [*dict.fromkeys(one.module for one, _ in run), None]:
        ends = [end for one, end in run if name in (None, one.module)]
        killed = sum(end != SURVIVED for end in ends)
        yield name or "all", len(ends), killed, len(ends) - killed, f"{100 * killed / max(1, len(ends)):.1f}"


def _told(one: Mutant, reasons: dict[tuple[str, str, str], str]) -> tuple[str, str, str]:
    return one.place, f"`{_cell(one.before)}` → `{_cell(one.after)}`", reasons.get(_key(one), "**not explained**")


def _key(one: Mutant) -> tuple[str, str, str]:
    return one.module, one.before, one.after


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")


if __name__ == "__main__":
    raise SystemExit(main())
