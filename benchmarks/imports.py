"""What `import resilience` costs beside `import tenacity`, measured in one run and read as a ratio.

    python benchmarks/imports.py [--rounds N] [--json]

Each round starts a fresh interpreter for every row, in turn, so that a busy machine slows all of
them alike. Medians, less that of a bare interpreter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROWS = {
    "bare": "pass",
    "tenacity": "import tenacity",
    "resilience": "import resilience",
    "resilience, a decorated function called": (
        "import resilience; call = resilience.resilient(idempotent=True)(len); call('abc')"
    ),
}


def once(statement: str) -> float:
    """Return the milliseconds a fresh interpreter takes for a statement."""
    before = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, check=True, capture_output=True)
    return (time.perf_counter() - before) * 1000


def measured(rounds: int) -> dict[str, dict[str, float]]:
    """Return, for each row, milliseconds above a bare interpreter and the ratio to tenacity's."""
    times: dict[str, list[float]] = {name: [] for name in ROWS}
    for statement in ROWS.values():
        once(statement)  # fills the byte code caches
    for _ in range(rounds):
        for name, statement in ROWS.items():
            times[name].append(once(statement))
    bare = statistics.median(times["bare"])
    above = {name: statistics.median(values) - bare for name, values in times.items() if name != "bare"}
    return {name: {"ms": round(ms, 1), "of_tenacity": round(ms / above["tenacity"], 2)} for name, ms in above.items()}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = measured(args.rounds)
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        for name, row in rows.items():
            print(f"{name:42} {row['ms']:7.1f} ms  {row['of_tenacity']:5.2f} of tenacity")
    return 0


if __name__ == "__main__":
    sys.exit(main())
