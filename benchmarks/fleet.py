"""Runs eight greedy bots on one limit while their store fails, and counts what they send.

    python -m benchmarks.fleet [--seconds 60] [--processes 8] [--limit 100] [--drill NAME ...] [--write]

Each bot is a process of its own (`fleet_bot.py`). The instants of all sends are those of one machine's monotonic clock.
With `--write` the table is written to `benchmarks/results/fleet.md`.
"""

from __future__ import annotations

import argparse
import json
import platform
import signal
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from .fleet_stores import Proxy, Site, running_site

RESULTS = Path(__file__).parent / "results" / "fleet.md"
WARM_UP = 3.0  # seconds that are not counted in the rate: a store that was empty grants nothing at first
TAIL = 1.0  # seconds at the end that are not counted either: the bots end one by one
OUTAGE = 2.0  # seconds that a killed or paused store is away
CUT = 3  # bots of those that are cut off


class Setup(NamedTuple):
    """The places of a drill: the port of each bot, and what happens after a third of the time."""

    ports: list[int]
    fault: Callable[[], None]
    patience: str = "50ms"


def healthy(site: Site, bots: int, _stack: ExitStack) -> Setup:
    return Setup([site.port] * bots, lambda: None)


def killed(site: Site, bots: int, _stack: ExitStack) -> Setup:
    def fault() -> None:
        site.kill()
        time.sleep(OUTAGE)  # an outage that real processes live through, as in the drills below
        site.restart()

    return Setup([site.port] * bots, fault)


def restarted_empty(site: Site, bots: int, _stack: ExitStack) -> Setup:
    def fault() -> None:
        site.kill()
        site.restart()

    return Setup([site.port] * bots, fault)


def paused(site: Site, bots: int, _stack: ExitStack) -> Setup:
    def fault() -> None:
        site.signal(signal.SIGSTOP)
        time.sleep(OUTAGE)  # the store stands still
        site.signal(signal.SIGCONT)

    return Setup([site.port] * bots, fault)


def flushed(site: Site, bots: int, _stack: ExitStack) -> Setup:
    return Setup([site.port] * bots, lambda: site.client().flushall() and None)


def cut_off(site: Site, bots: int, stack: ExitStack) -> Setup:
    proxy = Proxy(site.port)
    stack.callback(proxy.close)

    def fault() -> None:
        proxy.is_cut = True
        time.sleep(OUTAGE + 1)  # the network is cut
        proxy.is_cut = False

    return Setup([proxy.port] * CUT + [site.port] * (bots - CUT), fault)


def promoted(site: Site, bots: int, stack: ExitStack) -> Setup:
    replica = stack.enter_context(running_site())
    replica.client().replicaof("127.0.0.1", str(site.port))
    proxy = Proxy(site.port)
    stack.callback(proxy.close)

    def fault() -> None:
        replica.signal(signal.SIGSTOP)  # so that it does not know the last second
        time.sleep(1.0)  # the second that it does not know
        site.kill()
        replica.signal(signal.SIGCONT)
        replica.client().replicaof("NO", "ONE")
        proxy.redirect(replica.port)

    return Setup([proxy.port] * bots, fault)


def slow(site: Site, bots: int, stack: ExitStack) -> Setup:
    proxy = Proxy(site.port, delay=0.025)
    stack.callback(proxy.close)
    return Setup([proxy.port] * bots, lambda: None)


def slow_with_patience(site: Site, bots: int, stack: ExitStack) -> Setup:
    return slow(site, bots, stack)._replace(patience="250ms")


DRILLS: dict[str, tuple[str, Callable[[Site, int, ExitStack], Setup]]] = {
    "healthy": ("healthy", healthy),
    "killed": ("SIGKILL of the store, back empty after 2 s", killed),
    "paused": ("paused for 2 s", paused),
    "flushed": ("FLUSHALL", flushed),
    "restarted": ("restarted empty at once", restarted_empty),
    "cut": ("3 of 8 cut off for 3 s", cut_off),
    "promoted": ("replica promoted, without the last second", promoted),
    "slow": ("50 ms latency, patience 50 ms", slow),
    "patient": ("50 ms latency, patience 250 ms", slow_with_patience),
}


class Row(NamedTuple):
    """The figures of one drill."""

    drill: str
    most: int
    per_second: float
    trips: float
    longest_wait: float | None
    cancels: int
    cancels_refused: int
    longest_cancel: float


def most_in_any(instants: list[float], span: float = 1.0) -> int:
    """Return the most sends in any window of this length, its end left out."""
    return max((index + 1 - bisect_left(instants, at - span + 1e-9) for index, at in enumerate(instants)), default=0)


@contextmanager
def running_bots(setup: Setup, args: argparse.Namespace) -> Iterator[list[subprocess.Popen[str]]]:
    """Start the bots, and begin when all are ready."""
    bots = []
    for port in setup.ports:
        url = f"redis://127.0.0.1:{port}"
        values = map(str, (url, args.seconds, args.processes, args.limit, setup.patience))
        command = [sys.executable, "-m", "benchmarks.fleet_bot", *values]
        bots.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    try:
        for bot in bots:
            assert bot.stdout is not None
            bot.stdout.readline()
        for bot in bots:
            assert bot.stdin is not None
            bot.stdin.write("go\n")
            bot.stdin.flush()
        yield bots
    finally:
        for bot in bots:
            bot.kill()
            bot.wait()


def run_drill(name: str, args: argparse.Namespace) -> Row:
    """Run one drill; return its figures."""
    title, prepare = DRILLS[name]
    with ExitStack() as stack:
        site = stack.enter_context(running_site())
        setup = prepare(site, args.processes, stack)
        begin = time.monotonic()
        with running_bots(setup, args) as bots:
            begin = time.monotonic()
            time.sleep(max(WARM_UP, args.seconds / 3))  # the bots send in real time before the fault
            setup.fault()
            reports = [json.loads(bot.communicate()[0]) for bot in bots]
    return figures(title, reports, begin, args.seconds)


def figures(title: str, reports: list[dict[str, Any]], begin: float, seconds: float) -> Row:
    """Return the figures of what the bots report."""
    sends = sorted(instant for report in reports for instant in report["sends"])
    cancels = [cancel for report in reports for cancel in report["cancels"]]
    waits = [wait for report in reports for wait in report["waits"]]
    counted = [instant for instant in sends if begin + WARM_UP <= instant < begin + seconds - TAIL]
    return Row(
        title,
        most_in_any(sends),
        len(counted) / (seconds - WARM_UP - TAIL),
        1000 * sum(report["trips"] for report in reports) / max(1, len(sends)),
        max(waits, default=None),
        len(cancels),
        sum(bool(why) for _, why in cancels),
        max((took for took, _ in cancels), default=0.0),
    )


HEAD = (
    "| drill | most in any 1 s | per second | round trips per 1,000 sends | longest wait for a lost store"
    " | cancels | of them refused | slowest cancel |\n|---|---:|---:|---:|---:|---:|---:|---:|"
)


def line(row: Row) -> str:
    """Return a row of the table."""
    wait = "–" if row.longest_wait is None else f"{row.longest_wait * 1000:.0f} ms"
    cancel = f"{row.longest_cancel * 1000:.0f} ms"
    figures = (row.most, f"{row.per_second:.1f}", f"{row.trips:.0f}", wait, row.cancels, row.cancels_refused, cancel)
    return f"| {row.drill} | {' | '.join(map(str, figures))} |"


def main() -> None:
    """Run the drills that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--drill", action="append", choices=sorted(DRILLS))
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if args.seconds <= WARM_UP + TAIL:
        parser.error(
            f"--seconds: more than {WARM_UP + TAIL:.0f}, of which the first {WARM_UP:.0f} and the last are not counted"
        )
    lines = [HEAD]
    print(HEAD, flush=True)
    for name in args.drill or DRILLS:
        lines.append(line(run_drill(name, args)))
        print(lines[-1], flush=True)
    if args.write:
        about = f"{args.processes} greedy bots for {args.seconds:g} s, limit {args.limit} in any second"
        where = f"CPython {platform.python_version()}, {platform.system().lower()}, {platform.machine()}"
        text = (
            f"# A fleet on one limit\n\n`python -m benchmarks.fleet`: {about}. {where}, a machine shared with others.\n"
        )
        before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
        _, mark, others = before.partition("\n## ")  # what other commands have measured stays
        RESULTS.write_text(text + "\n" + "\n".join(lines) + "\n" + mark + others, encoding="utf-8")


if __name__ == "__main__":
    main()
