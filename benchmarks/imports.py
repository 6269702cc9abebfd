"""Measures `import resilience` beside `import tenacity` in one run and reports the ratio.

    python -m benchmarks.imports [--rounds N] [--json] [--write]

Each round starts a fresh interpreter for every row in turn, so that a busy machine slows all of them alike. The figures
are medians minus the median of a bare interpreter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from .rounds import at_most, report, table, target_table

ROOT = Path(__file__).resolve().parents[1]
ROWS = {
    "bare": "pass",
    "tenacity": "import tenacity",
    "resilience": "import resilience",
    "resilience, a decorated function called": (
        "import resilience; call = resilience.resilient(idempotent=True)(len); call('abc')"
    ),
}


def time_once(statement: str) -> float:
    """Return the milliseconds a fresh interpreter takes for a statement."""
    before = time.perf_counter()
    # From the root of the project, so that the library is imported from this tree.
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, check=True, capture_output=True)
    return (time.perf_counter() - before) * 1000


def measured(rounds: int) -> dict[str, dict[str, float]]:
    """Return, for each row, milliseconds above a bare interpreter and the ratio to tenacity's."""
    times: dict[str, list[float]] = {name: [] for name in ROWS}
    for statement in ROWS.values():
        time_once(statement)  # compiles the byte code
    for _ in range(rounds):
        for name, statement in ROWS.items():
            times[name].append(time_once(statement))
    # The import alone is of interest, so the time that the interpreter takes to start is subtracted.
    bare = statistics.median(times["bare"])
    above = {name: statistics.median(values) - bare for name, values in times.items() if name != "bare"}
    return {name: {"ms": round(ms, 1), "of_tenacity": round(ms / above["tenacity"], 2)} for name, ms in above.items()}


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="also write the table to benchmarks/results/")
    args = parser.parse_args()
    rows = measured(args.rounds)
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    report(
        "imports",
        "Importing",
        f"Fresh interpreters, {args.rounds} interleaved rounds; medians above a bare interpreter.",
        target_table([at_most("import resilience, against import tenacity", 1.0, rows["resilience"]["of_tenacity"])]),
        table(("", "ms", "of tenacity"), [(name, row["ms"], row["of_tenacity"]) for name, row in rows.items()]),
        write=args.write,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
