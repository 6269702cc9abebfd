"""Compares the success path with that of an earlier commit, in processes that take turns.

    python -m benchmarks.before [COMMIT] [--rounds N] [--write]

Each process measures everything on beside the hand-written closure of `benchmarks.closure`; what is compared is the
cost above the bare call, in nanoseconds of processor time and as a share of the closure's. The default commit is the
last one before failures carried a grade of proof.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .rounds import at_most, report, table, target_table

BEFORE_PROOF = "ffc512bc^"
LIMIT = 1.15
NOW, THEN = "now", "then"
NOT_MET = """Since that commit a success also counts itself for its operation, empties its context for what outlives the
call, looks for holds, for the end of a lease and for somebody who measures durations, and can be interrupted at any
bytecode. Each of these is one attribute or one call into C and costs 2 to 6 %. Fewer cells in the closure, and one
number to compare instead of `slow_after`, gained about 3 %. On CPython 3.13 setting and resetting a context variable is
a quarter of the whole."""
PROGRAM = """
import json
from benchmarks.closure import closure
from benchmarks.ours import EVERYTHING, compiled
from benchmarks.rounds import sync_rounds

def nothing():
    return 1

rows = {"bare": nothing, "closure": closure(nothing), "ours": compiled(nothing, **EVERYTHING)}
times = sync_rounds(rows, rounds=40)
print(json.dumps({name: times[name].above(times["bare"]).median for name in ("closure", "ours")}))
"""


def measured(home: Path) -> dict[str, float]:
    """Return the added nanoseconds of the closure and of ours, as a process measures them with the code of a folder."""
    environment = {**os.environ, "PYTHONPATH": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=home, env=environment, check=True, capture_output=True, text=True
    )
    times: dict[str, float] = json.loads(done.stdout)
    return times


def _unpack(commit: str, repository: Path, folder: str) -> None:
    """Write the files of a commit into a folder."""
    archive = subprocess.run(["git", "archive", commit], cwd=repository, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")


def parse_commit_options(description: str | None, commit: str) -> argparse.Namespace:
    """Parse the options of a benchmark that compares with an earlier commit, by default with this one."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("commit", nargs="?", default=commit)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


@contextmanager
def both_commits(commit: str) -> Iterator[dict[str, Path]]:
    """Yield the folders of that commit's files, under `THEN`, and of the present ones, under `NOW`."""
    here = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as folder:
        _unpack(commit, here, folder)
        yield {THEN: Path(folder), NOW: here}


def main() -> None:
    options = parse_commit_options(__doc__, BEFORE_PROOF)
    with both_commits(options.commit) as homes:
        times: dict[str, list[dict[str, float]]] = {name: [] for name in homes}
        for _ in range(options.rounds):
            for name, home in homes.items():
                times[name].append(measured(home))
    shares = {name: [one["ours"] / one["closure"] for one in rounds] for name, rounds in times.items()}
    against = statistics.median(now / then for now, then in zip(shares[NOW], shares[THEN], strict=True))
    report(
        "before",
        "The success path, before and after",
        f"The commit before: `{options.commit}`. {options.rounds} processes each, in turns.",
        "## Targets and measured figures\n\n"
        + target_table(
            [at_most("everything on, as a share of the closure, against the commit before", LIMIT, against)]
        ),
        f"## What is not met\n\n{NOT_MET}",
        "## Added to the bare call\n\n"
        + table(
            ("", "everything on, ns", "closure, ns", "everything on / closure"),
            [
                (
                    name,
                    *(f"{statistics.median(one[row] for one in rounds):,.0f}" for row in ("ours", "closure")),
                    f"{statistics.median(shares[name]):.2f}",
                )
                for name, rounds in times.items()
            ],
        ),
        write=options.write,
        by_version=True,
    )


if __name__ == "__main__":
    main()
