"""A reload that rebuilds breakers and quotas loses their counts, and one bad file can end all later reloads."""

from __future__ import annotations

import asyncio
import threading
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from resilience import Pipeline, Policies, Policy, PolicyError, current_call
from resilience.config import load
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
    """Breakers and quotas that are new after each reading of a file have no counts, so nothing limits the calls."""
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
        self.errors: list[BaseException] = []
        self.rejected = 0
        self._lock = threading.Lock()
        self._number = count().__next__
        self._turns = count(1).__next__
        self.held = self.policies.pipeline("busy", operation="busy")
        decorate = self.policies.resilient("busy", operation="busy", idempotent=True)
        self.calls = [decorate(self.body), self.held.compile(self.body), self.bound]
        self.acall = decorate(self.abody)

    def write(self, turn: int = 0) -> None:
        """Write the settings of this turn; the counts stay far below every limit."""
        odd = turn % 2
        text = FILE.format(
            deadline=20 + turn, ratio=50 + odd, window=60 + 60 * odd, enough=100 + odd, burst=20_000 + turn
        )
        self.path.write_text(text)

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
        """Call through the pipeline that is held over all reloads."""
        return self.held.call(self.body)

    async def abody(self) -> int:
        """Fail as `body` does, after other tasks had a turn."""
        await asyncio.sleep(0)
        return self.body()

    def reload(self) -> None:
        """Reload a changed file; every third one is wrong."""
        with self._lock:
            turn = self._turns()
            if turn % 3:
                self.write(turn)
            else:
                self.path.write_text(BAD)
            try:
                self.policies.reload()
            except PolicyError:
                self.rejected += 1

    def thread(self, number: int) -> None:
        """Make calls and reload now and then."""
        for number in range(1, CALLS + 1):
            try:
                self.calls[number % len(self.calls)]()
            except BaseException as error:
                self.errors.append(error)
            if number % EVERY == 0:
                self.reload()

    async def task(self) -> None:
        """Make calls and reload now and then."""
        for number in range(1, CALLS + 1):
            try:
                await self.acall()
            except BaseException as error:
                self.errors.append(error)
            if number % EVERY == 0:
                self.reload()

    async def tasks(self) -> None:
        """Run all tasks."""
        await asyncio.gather(*(self.task() for _ in range(WORKERS)))


@pytest.fixture
def bot(tmp_path: Path) -> Bot:
    """A bot before its first call."""
    return Bot(tmp_path / "bot.yaml")


def test_no_call_fails_and_no_count_is_lost(bot: Bot) -> None:
    """Threads, tasks, held pipelines and compiled calls under reloads: every attempt is in every count."""
    with recorded_events(bot.policies) as events:
        threads = [threading.Thread(target=bot.thread, args=(number,)) for number in range(WORKERS)]
        threads.append(threading.Thread(target=lambda: asyncio.run(bot.tasks())))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bot.write(1)
        bot.policies.reload()
        bot.calls[0]()
    calls = 2 * WORKERS * CALLS + 1
    assert bot.errors == []
    described = bot.held.describe()
    assert described["breaker"]["settled"] == {"succeeded": calls, "failed": bot.failed, "slow": 0}
    assert described["quota"][0]["left"] == 20_001 - bot.sent
    assert bot.sent == calls + bot.failed
    assert described["admission"]["lanes"]["default"] == {"running": 0, "waiting": 0}
    assert retries_left(bot) == allowed_retries(calls, bot.failed)
    names = [event.name for event in events if event.name.startswith("policy_")]
    reloads = 2 * WORKERS * CALLS // EVERY
    assert names.count("policy_rejected") == bot.rejected == reloads // 3
    assert names.count("policy_reloaded") == reloads - reloads // 3 + 1


RATIO = 0.3  # of a budget that the counts almost fill


def allowed_retries(calls: int, retries: int) -> int:
    """Return how many further calls may be retried once each, under a budget that has counted these."""
    allowed = 0
    while retries + allowed + 1 <= RATIO * (calls + allowed + 1):
        allowed += 1
    return allowed


def retries_left(bot: Bot) -> int:
    """Fail calls until the budget of `RATIO` is exhausted; return how many were retried."""
    settings = f"retry: {{max_attempts: 2, backoff: {{initial: 0}}}}, budget: {{ratio: {RATIO:.0%}, floor: 0}}"
    bot.path.write_text(f"version: 1\npolicies: {{busy: {{{settings}}}}}\n")
    bot.policies.reload()
    attempts = 0

    def down() -> None:
        nonlocal attempts
        attempts += 1
        raise ConnectionRefusedError

    call = bot.policies.resilient("busy", operation="busy", idempotent=True)(down)
    for calls in range(10_000):
        with pytest.raises(ConnectionRefusedError):
            call()
        if attempts < 2 * (calls + 1):
            return calls
    raise AssertionError("the budget is never exhausted")


def test_after_a_bad_file_the_next_good_one_loads(bot: Bot) -> None:
    """Nothing of the bad file applies, and later reloads work."""
    bot.path.write_text(BAD)
    with pytest.raises(PolicyError):
        bot.policies.reload()
    assert bot.held.policy.deadline == 20.0
    bot.write(5)
    assert str(bot.policies.reload()[0]) == "busy.deadline: 20 → 25"
    assert bot.held.policy.deadline == 25.0
