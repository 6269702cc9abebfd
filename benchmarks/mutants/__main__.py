"""Tests the tests of `resilience._core` with mutants: copies of a module with one small change.

    python -m benchmarks.mutants [MODULE ...] [-j N] [--every N] [--minutes M] [--write]

Works on a copy of the source and the tests, and needs the extra `mutants`. A MODULE is a name such as `budget`,
`stages.budget` or `stages`. The table shows how many mutants of each module the tests kill, and every survivor with the
reason in `survivors.yaml` why it is harmless. Exits with 1 if less than 95 % are killed or a survivor has no reason.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ..rounds import RESULTS
from .changes import Mutant, mutants
from .children import SURVIVED
from .modules import core_modules, resolve
from .report import key_of, make_report, stale_reasons
from .runs import MODES, TESTS, run_mutants

TREE = Path(__file__).parents[2]


def main() -> int:
    """Make the mutants, run the tests against them, and print the report."""
    options = _parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the copy and the children are removed
    paths = core_modules(TREE)
    try:
        names = resolve(options.modules, TREE)
    except LookupError as error:
        print(f"benchmarks.mutants: {error.args[0]}", file=sys.stderr)
        return 2
    sources = {name: path.read_text(encoding="utf-8") for name, path in paths.items()}
    for reason in stale_reasons(sources):
        print(f"survivors.yaml: no such line: {reason}", file=sys.stderr)
    every = [mutant for name in names for mutant in mutants(name, sources[name])]
    chosen = _choose(every, options)
    print(f"{len(chosen)} of {len(every)} mutants of {len(names)} modules", file=sys.stderr, flush=True)
    if not chosen:
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        ends = run_mutants(chosen, TREE, Path(scratch), options)
    if options.log:
        _write_log(options.log, chosen, ends)
    minutes = (time.monotonic() - began) / 60
    text, passed = make_report(chosen, len(every), ends, options, minutes)
    print(text)
    if options.write:
        (RESULTS / "mutants.md").write_text(text, encoding="utf-8")
    return 0 if passed else 1


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="modules of _core (all)")
    parser.add_argument("-j", "--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="run every Nth mutant (1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which one of every N (0)")
    parser.add_argument("--minutes", type=float, default=600, metavar="M", help="stop after so many minutes (600)")
    parser.add_argument(
        "--slow", type=float, default=0.3, metavar="S", help="leave out tests with more processor seconds (0.3)"
    )
    parser.add_argument(
        "--max-tests", type=int, default=10_000, metavar="N", help="run at most so many tests for a mutant (10000)"
    )
    parser.add_argument("--tests", nargs="*", default=TESTS, metavar="PATH", help="the tests to run")
    parser.add_argument(
        "--modes", nargs="*", choices=MODES, default=MODES,
        help="in_place: changes inside functions; reimport: all other changes",
    )  # fmt: skip
    parser.add_argument(
        "--map", type=Path, metavar="FILE", help="where to keep which tests reach which lines, for the next run"
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="write the result of each mutant, one JSON line each")
    parser.add_argument("--again", type=Path, metavar="FILE", help="run only the survivors of this log")
    parser.add_argument("--write", action="store_true", help="also write the tables to benchmarks/results/")
    return parser.parse_args()


def _choose(every: list[Mutant], options: argparse.Namespace) -> list[Mutant]:
    if options.again:
        rows = [json.loads(line) for line in options.again.read_text(encoding="utf-8").splitlines()]
        survivors = {
            (row["place"].partition(":")[0], row["before"], row["after"]) for row in rows if row["end"] == SURVIVED
        }
        return [mutant for mutant in every if key_of(mutant) in survivors]
    return [mutant for index, mutant in enumerate(every) if index % options.every == options.seed % options.every]


def _write_log(path: Path, chosen: list[Mutant], ends: dict[int, dict[str, Any]]) -> None:
    rows = [
        {"place": mutant.place, "operator": mutant.operator, "before": mutant.before, "after": mutant.after}
        | ends[index]
        for index, mutant in enumerate(chosen)
        if index in ends
    ]
    path.write_text("\n".join(map(json.dumps, rows)))


if __name__ == "__main__":
    raise SystemExit(main())
