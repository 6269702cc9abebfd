"""A bot that is killed again and again: does every order that it began happen exactly once?

    python -m benchmarks.outbox [--kills 200] [--bots 4] [--seed 7]

A loopback exchange under ordinary faults (window 1 s) runs in a process of its own. Each bot places
orders through `BitgetClient` with an outbox, in four threads. It is ended with SIGKILL at a random
moment after its imports, from before its outbox is open to the middle of a replay or a call, and
started again; at its start it replays its outbox. At the end every row of every outbox is held
against the exchange's ledger.
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
LONGEST_LIFE = 2.0  # seconds from the end of a bot's imports to its end, drawn from 0 to this


def exchange(seed: int) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """Start the exchange and return its process and what it tells of itself."""
    command = [sys.executable, "-m", "resilience", "sandbox", "--json", "--window", f"{WINDOW:g}s"]
    process = subprocess.Popen(
        [*command, "--seed", str(seed), "--faults", "ordinary"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def bot(told: dict[str, Any], outbox: Path, prefix: str, *, finish: bool = False) -> subprocess.Popen[str]:
    """Start one life of a bot; with `finish` it only settles what is open."""
    command = [sys.executable, "-m", "benchmarks.outbox_bot", json.dumps(told), str(outbox), prefix]
    process = subprocess.Popen([*command, "finish"] if finish else command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()  # it is up
    return process


def lives(told: dict[str, Any], outbox: Path, prefix: str, kills: int, seed: int) -> int:
    """Kill a bot this many times and let its last life settle everything; return how many lives were cut."""
    dice, cut = random.Random(seed), 0
    for _ in range(kills):
        process = bot(told, outbox, prefix)
        time.sleep(dice.uniform(0.0, LONGEST_LIFE))  # the bot's life, which is cut at a random moment
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            cut += 1
        process.wait()
    if bot(told, outbox, prefix, finish=True).wait(timeout=300) != 0:
        raise RuntimeError("the bot's last life failed")
    return cut


def counted(told: dict[str, Any], outboxes: list[Path]) -> dict[str, int]:
    """Hold every row against the ledger."""
    from resilience.outbox import Outbox

    with urlopen(Request(told["rest"] + "/sandbox/ledger"), timeout=30) as answer:
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
    process, told = exchange(seed)
    try:
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(bots) as pool:
            paths = [Path(folder, f"bot-{number}.db") for number in range(bots)]
            shares = [kills // bots + (number < kills % bots) for number in range(bots)]
            running = [
                pool.submit(lives, told, path, f"k{seed}-{number}", shares[number], seed * 1000 + number)
                for number, path in enumerate(paths)
            ]
            cut = sum(one.result() for one in running)
            time.sleep(2 * WINDOW)  # what is still under way arrives, or never does
            return {"kills": cut, **counted(told, paths)}
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Print the counts as a table."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--bots", type=int, default=4)
    options.add_argument("--seed", type=int, default=7)
    given = options.parse_args()
    found = run(given.kills, given.bots, given.seed)
    print("| " + " | ".join(found) + " |")
    print("|" + "---:|" * len(found))
    print("| " + " | ".join(map(str, found.values())) + " |")


if __name__ == "__main__":
    main()
