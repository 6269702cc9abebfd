"""The bot of `benchmarks.reload`: threads and tasks that call at a steady rate, and a policy file that changes."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resilience import Policies
from resilience.config.loading.policy_file import load

__all__ = ["RATE", "TASKS", "THREADS", "ReloadBot", "new_bot"]

RATE, THREADS, TASKS, TICK = 10_000, 4, 4, 0.01
RARE_EVERY = 100  # one call in 100 goes to the operation whose quota lasts for the whole run
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
  rare:
    extends: busy
    admission: {{max_concurrent: {enough}, max_queue: 100}}
    quota: [{{rate: {burst}/h, burst: {burst}}}]
operations:
  - {{match: "busy_*", policy: busy, idempotent: true}}
"""


class ReloadBot:
    """A bot under load, its policy file, and the results of its calls."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bot.yaml"
        self.write(1)
        self.policies = Policies(load(self.path), load=lambda: load(self.path), log=False)
        self.stop = threading.Event()
        self.calls: list[int] = []
        self.rare_calls: list[int] = []
        self.errors: list[BaseException] = []
        self.longest: list[float] = []
        self.reloads = {"policy_reloaded": 0, "policy_rejected": 0}
        self.policies.subscribe(self._count_reload)
        self.call: Callable[[], int] = self.policies.resilient("busy", operation="busy_call")(nothing)
        self.call_async: Any = self.policies.resilient("busy", operation="busy_task")(nothing_async)
        self.call_rare: Callable[[], int] = self.policies.pipeline("rare").compile(nothing)

    def _count_reload(self, event: Any) -> None:
        if event.name in self.reloads:
            self.reloads[event.name] += 1

    def write(self, turn: int) -> None:
        """Write changed settings, each far above what the load needs; every third file is invalid."""
        valid = FILE.format(
            deadline=20 + turn % 7, ratio=20 + turn % 3, window=1 + turn % 2, enough=60 + turn % 5,
            rate=100_000 + turn % 11, burst=50_000 + turn % 13,
        )  # fmt: skip
        # An unknown key, as a typing mistake would be.
        text = valid if turn % 3 else valid.replace("deadline:", "dead line:")
        # Editors do both: write in place, or write another file and rename it.
        target = self.path if turn % 2 else self.path.with_suffix(".new")
        target.write_text(text)
        if target != self.path:
            os.replace(target, self.path)

    def run_thread(self) -> None:
        """Call at this worker's share of the rate."""
        calls = rare_calls = 0
        longest = 0.0
        for batch in self._ticks():
            for _ in range(batch):
                before = time.perf_counter()
                try:
                    if calls % RARE_EVERY:
                        self.call()
                    else:
                        self.call_rare()
                        rare_calls += 1
                except BaseException as error:
                    self.errors.append(error)
                calls += 1
                longest = max(longest, time.perf_counter() - before)
        self.calls.append(calls)
        self.rare_calls.append(rare_calls)
        self.longest.append(longest)

    async def run_task(self) -> None:
        """Call at this worker's share of the rate."""
        calls, share, began = 0, RATE / (THREADS + TASKS), time.perf_counter()
        while not self.stop.is_set():
            for _ in range(int((time.perf_counter() - began) * share) - calls):
                try:
                    await self.call_async()
                except BaseException as error:
                    self.errors.append(error)
                calls += 1
            await asyncio.sleep(TICK)
        self.calls.append(calls)

    async def run_tasks(self) -> None:
        await asyncio.gather(*(self.run_task() for _ in range(TASKS)))

    def _ticks(self) -> Iterator[int]:
        share, began, sent = RATE / (THREADS + TASKS), time.perf_counter(), 0
        while not self.stop.is_set():
            due = int((time.perf_counter() - began) * share)
            yield due - sent
            sent = due
            time.sleep(TICK)  # as `asyncio.sleep` in a task

    def run(self, seconds: int, *, reloads: bool) -> float:
        """Run the load and return the seconds that it took."""
        workers = [threading.Thread(target=self.run_thread) for _ in range(THREADS)]
        workers.append(threading.Thread(target=lambda: asyncio.run(self.run_tasks())))
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for turn in range(1, seconds + 1):
            time.sleep(max(0.0, began + turn - time.perf_counter()))  # one reload per second
            if reloads:
                self.write(turn + 1)
        time.sleep(0.5)  # the last file is loaded under load too
        self.stop.set()
        for worker in workers:
            worker.join()
        return time.perf_counter() - began


def nothing() -> int:
    return 1


async def nothing_async() -> int:
    return 1


@contextmanager
def new_bot() -> Iterator[ReloadBot]:
    """Return a bot whose policy file is in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        yield ReloadBot(Path(folder))
