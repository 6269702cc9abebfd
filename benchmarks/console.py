"""Measures what the console costs the process of a bot: CPU per second, and for how long its event loop stands still.

    python -m benchmarks.console [--seconds 20] [--rounds 3] [--rate 2000] [--write]

An asyncio bot makes calls at a fixed rate under eight policies with everything on; one in fifty fails. It runs in a
process of its own without the console, with it, and with one page open, in turns. Measured are the CPU time of the
process and of the console's thread, the longest tick of the console in CPU time, which bounds what it can hold the
event loop for, and the longest gap between two turns of the loop, which a busy machine makes longer by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from resilience import Policies
from resilience.console import start_console
from resilience.console.live_view import LiveView

from .ours import EVERYTHING

RESULT = Path(__file__).parent / "results" / "console.md"
MODES = ("without the console", "with it, nobody watches", "with it, one page open")
POLICIES, OPERATIONS, FAILS = 8, 40, 50
TURN = 0.005  # seconds between two bursts of calls
_COLUMNS = (
    "CPU of the process, ms/s", "CPU of the console's thread, ms/s", "longest tick, ms of CPU", "longest gap, ms",
)  # fmt: skip
CPU_LIMIT, GAP_LIMIT = 20.0, 10.0  # ms per second, ms


def measure(mode: str, seconds: float, rate: int) -> dict[str, float]:
    """Run the bot and return what it cost."""
    names = [f"policy-{number}" for number in range(POLICIES)]
    quota = [{"rate": f"{rate}/s", "burst": rate}]
    rules = {name: {**EVERYTHING, "quota": quota} for name in names}
    policies = Policies.from_mapping({"policies": rules}, log=False)
    ticks = timed_ticks()
    console = None if mode == MODES[0] else start_console(policies, host="127.0.0.1", port=0, token=None)
    viewer = None
    if console is not None and mode == MODES[2]:
        command = [sys.executable, "-m", "benchmarks.console", "--view", console.url]
        viewer = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert viewer.stdout is not None
        viewer.stdout.readline()  # it is there
    result = asyncio.run(work(policies, names, seconds, rate))
    if console is not None:
        result["console"] = thread_cpu() / (seconds + result.pop("warm")) * 1000
        result["tick"] = max(ticks[2:]) * 1000  # the first ones load modules
        console.close()
    if viewer is not None:
        viewer.wait(10)
    return result


async def work(policies: Policies, names: list[str], seconds: float, rate: int) -> dict[str, float]:
    """Make the calls; return calls per second, CPU ms per second and the longest gap in ms."""
    made = 0

    async def call() -> None:
        nonlocal made
        made += 1
        if made % FAILS == 0:
            raise ConnectionResetError

    calls = [
        policies.resilient(names[number % POLICIES], operation=f"read_{number}", idempotent=True)(call)
        for number in range(OPERATIONS)
    ]
    warm = 3.0  # the page is opened, and everything is loaded
    gaps: list[float] = []
    tasks: set[asyncio.Task[Any]] = set()
    began = time.monotonic()
    cpu = start = before = 0.0
    number = 0
    while (now := time.monotonic()) < began + warm + seconds:
        if not start and now >= began + warm:
            start, cpu, made = now, time.process_time(), 0
            gaps.clear()
        gaps.append(now - before - TURN)
        for _ in range(int((now - began) * rate) - number):
            number += 1
            task = asyncio.ensure_future(calls[number % OPERATIONS]())
            tasks.add(task)
            task.add_done_callback(finish(tasks))
        before = time.monotonic()
        await asyncio.sleep(TURN)
    passed = time.monotonic() - start
    spent = (time.process_time() - cpu) / passed * 1000
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"calls": made / passed, "process": spent, "gap": max(gaps) * 1000, "warm": warm}


def finish(tasks: set[asyncio.Task[Any]]) -> Any:
    """Return what forgets a task that is over, and its error."""

    def done(task: asyncio.Task[Any]) -> None:
        tasks.discard(task)
        task.exception()

    return done


def timed_ticks() -> list[float]:
    """Have the CPU time of each tick of a console added to the list that is returned."""
    ticks: list[float] = []
    tick = LiveView.tick

    def timed(view: LiveView, now: float) -> str:
        begin = time.thread_time()
        try:
            return tick(view, now)
        finally:
            ticks.append(time.thread_time() - begin)

    LiveView.tick = timed  # type: ignore[method-assign]  # measured as it runs in the server
    return ticks


def thread_cpu() -> float:
    """Return the CPU seconds of the console's thread so far."""
    thread = next(one for one in threading.enumerate() if one.name == "resilience-console")
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def view(url: str) -> None:
    """Read what a page gets until the console is closed."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", "/live")
    answer = connection.getresponse()
    print(answer.readline(), flush=True)
    while answer.readline():
        pass


def compare(seconds: float, rounds: int, rate: int) -> str:
    """Run all modes in turns and return the table of their medians."""
    results: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for _ in range(rounds):
        for mode in MODES:
            command = [sys.executable, "-m", "benchmarks.console", "--mode", mode]
            command += ["--seconds", str(seconds), "--rate", str(rate)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results[mode].append(json.loads(done.stdout))
    columns = ("calls", "process", "console", "tick", "gap")
    rows = {mode: [middle(runs, name) for name in columns] for mode, runs in results.items()}
    lines = [
        f"| bot | calls/s | {' | '.join(_COLUMNS)} |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [f"| {mode} | {' | '.join(shown(value) for value in row)} |" for mode, row in rows.items()]
    watched = rows[MODES[2]]
    verdicts = (watched[2] or 0.0) <= CPU_LIMIT, (watched[3] or 0.0) <= GAP_LIMIT
    words = ["met" if good else "MISSED" for good in verdicts]
    lines += [
        "",
        f"Limits: {CPU_LIMIT:.0f} ms of CPU per second: {words[0]}. {GAP_LIMIT:.0f} ms at a time: {words[1]}.",
    ]
    return "\n".join(lines)


def middle(runs: list[dict[str, float]], name: str) -> float | None:
    """Return the median of a figure; None where it was not measured."""
    values = [run[name] for run in runs if name in run]
    return median(values) if values else None


def shown(value: float | None) -> str:
    """Write a figure."""
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=2000, help="calls per second")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/console.md")
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    parser.add_argument("--view", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.view:
        view(args.view)
    elif args.mode:
        print(json.dumps(measure(args.mode, args.seconds, args.rate)))
    else:
        text = compare(args.seconds, args.rounds, args.rate)
        print(text)
        if args.write:
            title = "# What the console costs a bot\n\nMedians of `python -m benchmarks.console --write`"
            setting = f": {args.rounds} rounds of {args.seconds:g} s, {POLICIES} policies, {OPERATIONS} operations,"
            RESULT.write_text(f"{title}{setting} one call in {FAILS} fails.\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
