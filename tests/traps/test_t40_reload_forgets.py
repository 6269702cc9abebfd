"""A reload that rebuilds its parts loses windows and counts, and one bad file can end it for good."""

from __future__ import annotations

import asyncio
import threading
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from resilience import Pipeline, Policies, Policy, PolicyError, current_call
from resilience.config.loading.policy_file import load
from resilience.testing import FakeClock, recorded_events

CALLS = 400  # of each thread and each task
EVERY = 40  # calls between two reloads of each
WORKERS = 4  # threads, and as many tasks
FILE = """
version: 1
policies:
  busy:
    deadline: {deadline}s
    retry: {{max_attempts: 3, backoff: {{initial: 0}}}}
    budget: {{ratio: {ratio}%, floor: 1000/s}}
    breaker: {{failure_rate: 90%, window: {window}s, min_calls: {enough}, open_for: {enough}ms, open_max: 1h}}
    quota: [{{rate: {burst}/h, burst: {burst}}}]
    admission: {{max_concurrent: {enough}, max_queue: 100}}
"""
BAD = "version: 1\npolicies: {busy: {deadline: never}}\n"


def test_naive() -> None:
    """Parts that are made anew for each reading of a file have counted nothing and let everything through."""
    settings: dict[str, Any] = {"breaker": {"consecutive": 1}, "quota": [{"rate": "1/h", "burst": 1}]}
    first = Pipeline(Policy(**settings), clock=FakeClock())
    first.call(len, "a")
    assert first.describe()["quota"][0]["left"] == 0
    again = Pipeline(Policy(**settings, deadline="5s"), clock=FakeClock())
    assert again.describe()["quota"][0]["left"] == 1


class Bot:
    """A function under load in threads and tasks, and the file that changes meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write()
        self.policies = Policies(load(path), clock=FakeClock(), load=lambda: load(path), log=False)
        self.sent = self.failed = 0
        self.wrong: list[BaseException] = []
        self.refused = 0
        self._lock = threading.Lock()
        self._number = count().__next__
        self._turns = count(1).__next__
        self.held = self.policies.pipeline("busy", operation="busy")
        decorate = self.policies.resilient("busy", operation="busy", idempotent=True)
        self.calls = [decorate(self.body), self.held.compile(self.body), self.bound]
        self.acall = decorate(self.abody)

    def write(self, turn: int = 0) -> None:
        """Write other settings; the counts are far below every limit."""
        odd = turn % 2
        told = FILE.format(
            deadline=20 + turn, ratio=50 + odd, window=60 + 60 * odd, enough=100 + odd, burst=20_000 + turn
        )
        self.path.write_text(told)

    def body(self) -> int:
        """Fail the first attempt of every tenth call or so, before anything was sent."""
        call = current_call()
        with self._lock:
            self.sent += 1
            if self._number() % 10 or (call is not None and call.attempt > 1):
                return 1
            self.failed += 1
        raise ConnectionRefusedError

    def bound(self) -> int:
        """Call through the pipeline that is held."""
        return self.held.call(self.body)

    async def abody(self) -> int:
        """Do the same, with a chance for other tasks."""
        await asyncio.sleep(0)
        return self.body()

    def reload(self) -> None:
        """Read another file; every third one is bad."""
        with self._lock:
            turn = self._turns()
            if turn % 3:
                self.write(turn)
            else:
                self.path.write_text(BAD)
            try:
                self.policies.reload()
            except PolicyError:
                self.refused += 1

    def thread(self, number: int) -> None:
        """Make calls and reload now and then."""
        for done in range(1, CALLS + 1):
            try:
                self.calls[number % len(self.calls)]()
            except BaseException as error:
                self.wrong.append(error)
            if done % EVERY == 0:
                self.reload()

    async def task(self) -> None:
        """Make calls and reload now and then."""
        for done in range(1, CALLS + 1):
            try:
                await self.acall()
            except BaseException as error:
                self.wrong.append(error)
            if done % EVERY == 0:
                self.reload()

    async def tasks(self) -> None:
        """Run all tasks."""
        await asyncio.gather(*(self.task() for _ in range(WORKERS)))


@pytest.fixture
def bot(tmp_path: Path) -> Bot:
    """A bot that nothing is asked of yet."""
    return Bot(tmp_path / "bot.yaml")


def test_no_call_fails_and_no_count_is_lost(bot: Bot) -> None:
    """Threads, tasks, held pipelines and compiled calls under reloads: every attempt stands in every count."""
    with recorded_events(bot.policies) as events:
        threads = [threading.Thread(target=bot.thread, args=(number,)) for number in range(WORKERS)]
        threads.append(threading.Thread(target=lambda: asyncio.run(bot.tasks())))
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        bot.write(1)
        bot.policies.reload()
        bot.calls[0]()  # whose number stands at the end of every count
    calls = 2 * WORKERS * CALLS + 1
    assert bot.wrong == []
    told = bot.held.describe()
    assert told["breaker"]["settled"] == {"succeeded": calls, "failed": bot.failed, "slow": 0}
    assert told["quota"][0]["left"] == 20_001 - bot.sent
    assert bot.sent == calls + bot.failed
    assert told["admission"]["lanes"]["default"] == {"running": 0, "waiting": 0}
    budget = bot.policies._shared.budget(bot.policies.policy("busy"))
    assert budget is not None
    assert budget.deposits.counts(0.0) == (calls, bot.failed, 0)
    names = [event.name for event in events if event.name.startswith("policy_")]
    reloads = 2 * WORKERS * CALLS // EVERY
    assert names.count("policy_rejected") == bot.refused == reloads // 3
    assert names.count("policy_reloaded") == reloads - reloads // 3 + 1


def test_after_a_bad_file_the_next_good_one_loads(bot: Bot) -> None:
    """Nothing of the bad one applies, and it ends nothing."""
    bot.path.write_text(BAD)
    with pytest.raises(PolicyError):
        bot.policies.reload()
    assert bot.held.policy.deadline == 20.0
    bot.write(5)
    assert str(bot.policies.reload()[0]) == "busy.deadline: 20 → 25"
    assert bot.held.policy.deadline == 25.0
