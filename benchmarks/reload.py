"""Ten thousand calls a second while the policy file changes once a second: does a call fail, is a count lost?

    python -m benchmarks.reload [--seconds N] [--rounds N] [--write]

Threads and tasks call at a steady pace; a watched file is written once a second, in turns in place and by
rename, and every third one is bad. Afterwards the breaker's window and the quota must have counted every call.
Then the price: one reload by itself, and calls as fast as they go with and without a reload a second.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resilience import Policies
from resilience.config.loading.policy_file import load

from .rounds import at_least, at_most, demands, options, report, table

RATE, THREADS, TASKS, TICK = 10_000, 4, 4, 0.01
SELDOM = 100  # one call in so many goes to the operation whose quota lasts for the whole run
FILE = """
version: 1
policies:
  busy:
    deadline: {deadline}s
    attempt_timeout: 8s
    retry: {{max_attempts: 3}}
    budget: {{ratio: {ratio}%}}
    breaker: {{window: {window}h, min_calls: {enough}, open_for: {enough}ms, open_max: 10s}}
    quota: [{{rate: {rate}/s, burst: {rate}}}]
  seldom:
    extends: busy
    admission: {{max_concurrent: {enough}, max_queue: 100}}
    quota: [{{rate: {burst}/h, burst: {burst}}}]
operations:
  - {{match: "busy_*", policy: busy, idempotent: true}}
"""


class Drill:
    """A bot under load, its policy file, and what became of the calls."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bot.yaml"
        self.write(1)
        self.policies = Policies(load(self.path), load=lambda: load(self.path), log=False)
        self.over = threading.Event()
        self.made: list[int] = []
        self.seldom_made: list[int] = []
        self.wrong: list[BaseException] = []
        self.longest: list[float] = []
        self.told = {"policy_reloaded": 0, "policy_rejected": 0}
        self.policies.subscribe(self._hear)
        self.call: Callable[[], int] = self.policies.resilient("busy", operation="busy_call")(nothing)
        self.acall: Any = self.policies.resilient("busy", operation="busy_task")(anothing)
        self.seldom: Callable[[], int] = self.policies.pipeline("seldom").compile(nothing)

    def _hear(self, event: Any) -> None:
        if event.name in self.told:
            self.told[event.name] += 1

    def write(self, turn: int) -> None:
        """Write other settings, each far above what the load needs; every third file is bad."""
        told = FILE.format(
            deadline=20 + turn % 7, ratio=20 + turn % 3, window=1 + turn % 2, enough=60 + turn % 5,
            rate=100_000 + turn % 11, burst=50_000 + turn % 13,
        )  # fmt: skip
        text = told if turn % 3 else told.replace("deadline:", "dead line:")
        target = self.path if turn % 2 else self.path.with_suffix(".new")
        target.write_text(text)
        if target != self.path:
            os.replace(target, self.path)

    def thread(self) -> None:
        """Call at this worker's share of the pace."""
        made = seldom = 0
        longest = 0.0
        for batch in self._ticks():
            for _ in range(batch):
                before = time.perf_counter()
                try:
                    if made % SELDOM:
                        self.call()
                    else:
                        self.seldom()
                        seldom += 1
                except BaseException as error:
                    self.wrong.append(error)
                made += 1
                longest = max(longest, time.perf_counter() - before)
        self.made.append(made)
        self.seldom_made.append(seldom)
        self.longest.append(longest)

    async def task(self) -> None:
        """Call at this worker's share of the pace."""
        made, share, began = 0, RATE / (THREADS + TASKS), time.perf_counter()
        while not self.over.is_set():
            for _ in range(int((time.perf_counter() - began) * share) - made):
                try:
                    await self.acall()
                except BaseException as error:
                    self.wrong.append(error)
                made += 1
            await asyncio.sleep(TICK)
        self.made.append(made)

    async def tasks(self) -> None:
        await asyncio.gather(*(self.task() for _ in range(TASKS)))

    def _ticks(self) -> Iterator[int]:
        share, began, sent = RATE / (THREADS + TASKS), time.perf_counter(), 0
        while not self.over.is_set():
            due = int((time.perf_counter() - began) * share)
            yield due - sent
            sent = due
            time.sleep(TICK)  # a thread keeps its pace, as `asyncio.sleep` keeps a task's

    def run(self, seconds: int, *, reloads: bool) -> float:
        """Run the load; returns the seconds that it took."""
        workers = [threading.Thread(target=self.thread) for _ in range(THREADS)]
        workers.append(threading.Thread(target=lambda: asyncio.run(self.tasks())))
        began = time.perf_counter()
        for one in workers:
            one.start()
        for turn in range(1, seconds + 1):
            time.sleep(max(0.0, began + turn - time.perf_counter()))  # a reload a second
            if reloads:
                self.write(turn + 1)
        time.sleep(0.5)  # the last file is loaded under load, too
        self.over.set()
        for one in workers:
            one.join()
        return time.perf_counter() - began


def nothing() -> int:
    return 1


async def anothing() -> int:
    return 1


@contextmanager
def drill() -> Iterator[Drill]:
    with tempfile.TemporaryDirectory() as folder:
        yield Drill(Path(folder))


def under_load(seconds: int) -> list[tuple[str, Any]]:
    """Return what became of a run's calls."""
    with drill() as one, one.policies.watch():
        took = one.run(seconds, reloads=True)
        for call in (one.call, one.seldom):
            call()
    calls, seldom = sum(one.made) + 1, sum(one.seldom_made) + 1
    busy = one.policies.pipeline("busy").describe()["breaker"]["settled"]
    rare = one.policies.pipeline("seldom").describe()
    burst = one.policies.policy("seldom").quota[0].burst
    counted = busy["succeeded"] + rare["breaker"]["settled"]["succeeded"]
    return [
        ("calls", calls + 1),
        ("calls a second", calls / took),
        ("files that were loaded", one.told["policy_reloaded"]),
        ("files that were refused", one.told["policy_rejected"]),
        ("calls that failed", len(one.wrong)),
        ("calls that the breakers' windows have not counted", calls + 1 - counted),
        ("sends that the quota has not counted", seldom - (burst - rare["quota"][0]["left"])),
        ("longest call of a thread, ms", 1e3 * max(one.longest)),
    ]


def price(rounds: int) -> list[float]:
    """Return the seconds of single reloads, each with changes."""
    spent = []
    with drill() as one:
        for _ in range(20):
            one.call()
        for turn in range(rounds):
            one.write(3 * turn + 1 + turn % 2)
            before = time.perf_counter()
            one.policies.reload()
            spent.append(time.perf_counter() - before)
    return spent


def throughput(seconds: float, *, reloads: bool) -> float:
    """Return the calls a second of threads that call as fast as they can."""
    with drill() as one, one.policies.watch():
        made, over = [0] * THREADS, threading.Event()

        def spin(number: int) -> None:
            done = 0
            while not over.is_set():
                for _ in range(100):
                    one.call()
                done += 100
            made[number] = done

        workers = [threading.Thread(target=spin, args=(number,)) for number in range(THREADS)]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for turn in range(2, int(seconds) + 2):
            if reloads:
                one.write(turn)
            time.sleep(1.0)  # a reload a second
        over.set()
        for worker in workers:
            worker.join()
        return sum(made) / (time.perf_counter() - began)


def main() -> None:
    given = options(__doc__, seconds=60, rounds=7)
    found = dict(under_load(given.seconds))
    spent = price(40)
    with_them, without = [], []
    for _ in range(given.rounds):
        without.append(throughput(3, reloads=False))
        with_them.append(throughput(3, reloads=True))
    ratio = statistics.median(one / other for one, other in zip(with_them, without, strict=True))
    reloads = found["files that were loaded"] + found["files that were refused"]
    rows = [(what, f"{value:,.2f}" if isinstance(value, float) else f"{value:,}") for what, value in found.items()]
    rows += [
        ("one reload with changes, ms, median", f"{1e3 * statistics.median(spent):.2f}"),
        ("calls a second as fast as they go, without reloads", f"{statistics.median(without):,.0f}"),
        ("the same with a reload a second", f"{statistics.median(with_them):,.0f}"),
    ]
    report(
        "reload",
        "Calls while the policy file changes",
        f"{THREADS} threads and {TASKS} tasks for {given.seconds} s, a watched file that is written once a second, "
        f"every third time with a mistake; then {given.rounds} interleaved rounds of {THREADS} threads at full speed.",
        demands(
            [
                at_least("calls a second in the drill", 0.95 * RATE, found["calls a second"]),
                at_least("reloads a second in the drill", 0.9, reloads / given.seconds),
                at_most("calls that failed", 0, found["calls that failed"]),
                at_most("calls not counted", 0, abs(found["calls that the breakers' windows have not counted"])),
                at_most("sends not counted", 0, abs(found["sends that the quota has not counted"])),
                at_least("throughput with a reload a second, against none", 0.95, ratio),
            ]
        ),
        table(("what", "measured"), rows),
        write=given.write,
    )


if __name__ == "__main__":
    main()
