"""Tests of jobs that run at once, in threads and in tasks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from threading import Barrier
from typing import Any

import pytest
import trio

from resilience._drivers.at_once import run_at_once, run_at_once_async
from resilience._drivers.system_clock import SystemClock, checkpoint
from tests.conftest import Driver

PATIENCE = 30.0  # seconds in which threads meet on any machine


class Meeting:
    """A place where `count` jobs wait for each other, in threads or tasks."""

    def __init__(self, count: int) -> None:
        self._barrier, self._count, self._here = Barrier(count), count, 0

    def sync(self) -> None:
        """Wait in a thread."""
        self._barrier.wait(PATIENCE)

    async def tasks(self) -> None:
        """Wait in a task."""
        self._here += 1
        until = -(-self._here // self._count) * self._count
        while self._here < until:
            await checkpoint()


def run(driver: Driver, jobs: list[Callable[[], Any]], limit: int) -> Any:
    """Run jobs by a driver."""
    return driver.call(run_at_once if driver.kind == "sync" else run_at_once_async, jobs, limit)


def meeting_jobs(driver: Driver, count: int, meeting: Meeting) -> list[Callable[[], Any]]:
    """Return jobs that wait for each other, and return their numbers."""

    def sync_job(number: int) -> int:
        meeting.sync()
        return number

    async def async_job(number: int) -> int:
        await meeting.tasks()
        return number

    job: Callable[[int], Any] = sync_job if driver.kind == "sync" else async_job
    return [lambda number=number: job(number) for number in range(count)]  # type: ignore[misc]


@pytest.mark.parametrize("limit", [1, 3])
def test_so_many_run_at_once_and_the_results_keep_the_order(driver: Driver, limit: int) -> None:
    """With fewer none of them would end."""
    assert run(driver, meeting_jobs(driver, 6, Meeting(limit)), limit) == [0, 1, 2, 3, 4, 5]
    assert run(driver, [], limit) == []


def test_after_an_error_no_other_begins_and_those_that_run_end(driver: Driver) -> None:
    """The error is raised when they have."""
    meeting, ended = Meeting(2), []
    wait, pause = meeting_jobs(driver, 2, meeting)
    error = ValueError("no")

    def fail() -> None:
        raise error

    def end() -> None:
        ended.append(1)

    async def fail_async() -> None:
        await pause()
        fail()

    async def end_async() -> None:
        await wait()
        for _ in range(3):  # trio runs tasks in any order: by now the other one has failed
            await checkpoint()
        end()

    async def begin_async() -> None:
        end()

    sync_jobs = [lambda: (wait(), fail()), lambda: (pause(), end()), end]
    jobs: Any = sync_jobs if driver.kind == "sync" else [fail_async, end_async, begin_async]
    with pytest.raises(ValueError, match="no") as caught:
        run(driver, jobs, 2)
    assert caught.value is error
    assert ended in ([1], [1, 1]) if driver.kind == "sync" else ended == [1]


def test_an_interrupt_is_raised_at_once() -> None:
    """The others are not waited for, and none begins after it."""
    begun = []

    def interrupt() -> None:
        begun.append(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_at_once([interrupt, lambda: begun.append(2)], 1)
    assert begun == [1]


def test_what_ends_a_thread_is_raised_where_the_jobs_were_started() -> None:
    """Such as SystemExit, which would be lost in a thread."""
    meeting = Meeting(2)

    def leave() -> None:
        meeting.sync()
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run_at_once([leave, leave], 2)


def test_threads_see_the_context_of_the_caller() -> None:
    """Such as the trace of which the calls are a part."""
    variable: ContextVar[str] = ContextVar("variable", default="")
    variable.set("here")
    meeting = Meeting(2)

    def read() -> str:
        meeting.sync()
        return variable.get()

    assert run_at_once([read, read], 2) == ["here", "here"]


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_a_cancelled_runner_leaves_no_job(library: str) -> None:
    """All have ended when it returns, and none begins after it."""
    log: list[str] = []

    async def job() -> None:
        log.append("begun")
        try:
            while True:
                await SystemClock().asleep(PATIENCE)
        finally:
            log.append("ended")

    async def in_asyncio() -> None:
        task = asyncio.ensure_future(run_at_once_async([job] * 3, 2))
        for _ in range(10):
            await checkpoint()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def in_trio() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_at_once_async, [job] * 3, 2)
            while len(log) < 2:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    if library == "asyncio":
        asyncio.run(in_asyncio())
    else:
        trio.run(in_trio)
    assert log == ["begun", "begun", "ended", "ended"]


def test_a_system_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs are run all the same, in this thread and those that could be started."""
    left = [1]
    start = threading.Thread.start

    def start_if_possible(self: threading.Thread) -> None:
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        start(self)

    monkeypatch.setattr(threading.Thread, "start", start_if_possible)
    assert run_at_once([lambda: 1, lambda: 2, lambda: 3], 3) == [1, 2, 3]
