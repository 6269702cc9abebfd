"""Kills bots with an outbox again and again, and checks that every order they started is executed exactly once.

    python -m benchmarks.outbox [--kills 200] [--bots 4] [--seed 7]

A loopback exchange under ordinary faults (window 1 s) runs in another process. Each bot places orders through
`BitgetClient` with an outbox, in four threads. It is killed with SIGKILL at a random moment after its imports: before
its outbox is open, or in the middle of a resume or a call. Then it is started again and resumes its outbox. At the end
every row of every outbox is compared with the exchange's ledger.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

WINDOW = 1.0
MAX_LIFETIME = 2.0  # seconds from the end of a bot's imports to its kill, at most


def start_exchange(seed: int) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """Start the exchange and return its process, and its address and keys."""
    command = [sys.executable, "-m", "resilience", "sandbox", "--json", "--window", f"{WINDOW:g}s"]
    process = subprocess.Popen(
        [*command, "--seed", str(seed), "--faults", "ordinary"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def start_bot(access: dict[str, Any], outbox: Path, prefix: str, *, finish: bool = False) -> subprocess.Popen[str]:
    """Start a bot; with `finish` it only completes the open orders and exits."""
    command = [sys.executable, "-m", "benchmarks.outbox_bot", json.dumps(access), str(outbox), prefix]
    process = subprocess.Popen([*command, "finish"] if finish else command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()  # the bot prints a line after its imports
    return process


def kill_repeatedly(access: dict[str, Any], outbox: Path, prefix: str, kills: int, seed: int) -> int:
    """Kill a bot this many times, then let it complete everything; return how often it was killed while it ran."""
    dice, killed = random.Random(seed), 0
    for _ in range(kills):
        process = start_bot(access, outbox, prefix)
        time.sleep(dice.uniform(0.0, MAX_LIFETIME))  # the bot works meanwhile
        # A bot that has crashed by itself is not counted as killed.
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
    if start_bot(access, outbox, prefix, finish=True).wait(timeout=300) != 0:
        raise RuntimeError("the last run of the bot failed")
    return killed


def compare_with_ledger(access: dict[str, Any], outboxes: list[Path]) -> dict[str, int]:
    """Compare every row of the outboxes with the ledger and count what differs."""
    from resilience.outbox import Outbox

    with urlopen(Request(access["rest"] + "/sandbox/ledger"), timeout=30) as answer:
        executions = {row["clientOid"]: row["executions"] for row in json.load(answer)["orders"]}
    states = {}
    for path in outboxes:
        box = Outbox(path)
        states |= {row.key: row.state for state in ("open", "done", "failed") for row in box.rows(state)}
        box.close()
    return {
        "orders": len(states),
        "duplicates": sum(times > 1 for times in executions.values()),
        "lost": sum(executions.get(key, 0) == 0 for key in states),
        "misreported": sum((state == "done") != (executions.get(key, 0) > 0) for key, state in states.items()),
        "open": sum(state == "open" for state in states.values()),
        "unrecorded": len(set(executions) - set(states)),
    }


def run(kills: int, bots: int, seed: int) -> dict[str, int]:
    """Run the whole drill and return its counts."""
    process, access = start_exchange(seed)
    try:
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(bots) as pool:
            paths = [Path(folder, f"bot-{number}.db") for number in range(bots)]
            shares = [kills // bots + (number < kills % bots) for number in range(bots)]
            futures = [
                pool.submit(kill_repeatedly, access, path, f"k{seed}-{number}", shares[number], seed * 1000 + number)
                for number, path in enumerate(paths)
            ]
            killed = sum(future.result() for future in futures)
            # Two windows, more than W + P.
            time.sleep(2 * WINDOW)  # delayed requests are delivered by then, or never
            return {"kills": killed, **compare_with_ledger(access, paths)}
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Print the counts as a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="kills, all bots together (200)")
    parser.add_argument("--bots", type=int, default=4, metavar="N", help="bots that run side by side (4)")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="seed of the faults and the kills (7)")
    options = parser.parse_args()
    counts = run(options.kills, options.bots, options.seed)
    print("| " + " | ".join(counts) + " |")
    print("|" + "---:|" * len(counts))
    print("| " + " | ".join(map(str, counts.values())) + " |")


if __name__ == "__main__":
    main()
