"""Measures `import resilience` beside `import tenacity`, and a short command beside bare Python, in one run.

    python -m benchmarks.imports [--rounds N] [--json] [--write]

Each round starts a fresh interpreter for every row in turn, so that a busy machine slows all of them alike. The figures
are medians minus the median of a bare interpreter; of the command the processor time of the whole process is compared.
The tables are compiled first, as in a wheel (`hatch_build.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from .rounds import Times, at_most, report, table, target_table

ROOT = Path(__file__).resolve().parents[1]
ROWS = {
    "bare": "pass",
    "tenacity": "import tenacity",
    "resilience": "import resilience",
    "resilience, a decorated function called": (
        "import resilience; call = resilience.resilient(idempotent=True)(len); call('abc')"
    ),
}


COMMANDS = {
    "bare": ["-c", "pass"],
    "resilience explain 43012": ["-m", "resilience", "explain", "43012"],
    "resilience explain 40010, which may be repeated": ["-m", "resilience", "explain", "40010"],
}


def cpu_once(arguments: list[str]) -> float:
    """Return the milliseconds of processor time that a whole process takes, from its start to its end."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"python {' '.join(arguments)} failed")
    return (used.ru_utime + used.ru_stime) * 1000


def measured_commands(rounds: int) -> dict[str, Times]:
    """Return the processor milliseconds of each command, one figure per round."""
    times = {name: Times() for name in COMMANDS}
    for arguments in COMMANDS.values():
        cpu_once(arguments)  # compiles the byte code
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            times[name].rounds.append(cpu_once(arguments))
    return times


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
    subprocess.run([sys.executable, "hatch_build.py"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    rows = measured(args.rounds)
    commands = measured_commands(args.rounds)
    ratios = {name: times.ratio(commands["bare"]) for name, times in commands.items() if name != "bare"}
    if args.json:
        rows |= {name: {"ms": commands[name].median, "of_bare": round(ratio, 2)} for name, ratio in ratios.items()}
        print(json.dumps(rows, indent=2))
        return 0
    report(
        "imports",
        "Importing",
        f"Fresh interpreters, {args.rounds} interleaved rounds; medians above a bare interpreter.",
        target_table(
            [
                at_most("import resilience, against import tenacity", 0.3, rows["resilience"]["of_tenacity"]),
                at_most("resilience explain 43012, CPU against bare Python", 8, ratios["resilience explain 43012"]),
            ]
        ),
        table(("", "ms", "of tenacity"), [(name, row["ms"], row["of_tenacity"]) for name, row in rows.items()]),
        "Whole processes, processor time; the ratio is the median of the rounds' ratios.",
        table(
            ("", "CPU ms", "of bare Python"),
            [(name, f"{times.median:.0f}", f"{times.ratio(commands['bare']):.1f}") for name, times in commands.items()],
        ),
        write=args.write,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
