"""Runs several jobs at once, in threads or in tasks, and returns their results in the order of the jobs.

The two runners decide alike. A job that fails keeps those from beginning that have not begun; its error is raised once
the others have ended. Cancelling the async runner cancels its jobs. An interrupt, such as a Ctrl-C, ends the sync one
at once: the threads finish the jobs that have begun, and begin no others.
"""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import takewhile
from typing import Any, Generic, TypeVar

from .system_clock import running_trio

__all__ = ["run_at_once", "run_at_once_async"]

T = TypeVar("T")


class _Jobs(Generic[T]):
    """The jobs that have not begun, the results of those that have ended, and the first error."""

    def __init__(self, jobs: Sequence[Callable[[], T]]) -> None:
        # A deque gives each job to one thread without a lock, which an interrupt could leave taken.
        self._left = deque(enumerate(jobs))
        self.results: list[Any] = [None] * len(jobs)
        self.errors: list[BaseException] = []

    def next(self) -> tuple[int, Callable[[], T]] | None:
        try:
            return self._left.popleft()
        except IndexError:
            return None

    def stop(self) -> None:
        """Begin none of those that are left."""
        self._left.clear()

    def end(self) -> list[Any]:
        """Return the results, or raise the first error."""
        errors, self.errors = self.errors, []
        try:
            if errors:
                raise errors[0]
            return self.results
        finally:
            errors.clear()  # the error's traceback holds this frame


def run_at_once(jobs: Sequence[Callable[[], T]], limit: int) -> list[T]:
    """Run the jobs, at most `limit` of them at once: one in this thread and each other one in a thread of its own."""
    state = _Jobs(jobs)

    def work() -> None:
        while (job := state.next()) is not None:
            number, function = job
            try:
                state.results[number] = function()
            except Exception as error:
                state.stop()
                state.errors.append(error)

    def work_in_thread() -> None:
        try:
            work()
        except BaseException as error:  # such as SystemExit, which is raised where the jobs were started
            state.stop()
            state.errors.append(error)

    threads = [
        threading.Thread(target=contextvars.copy_context().run, args=(work_in_thread,), daemon=True)
        for _ in range(min(limit, len(jobs)) - 1)
    ]
    try:
        started = list(takewhile(_has_started, threads))
        work()
        for thread in started:
            thread.join()
    except BaseException:
        state.stop()
        raise
    return state.end()


def _has_started(thread: threading.Thread) -> bool:
    """Start a thread; return False where the system has none left, or the interpreter ends: fewer do it, too."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True


async def run_at_once_async(jobs: Sequence[Callable[[], Awaitable[T]]], limit: int) -> list[T]:
    """Run the jobs, at most `limit` of them at once, each in a task of asyncio or trio."""
    state = _Jobs(jobs)

    async def work() -> None:
        while (job := state.next()) is not None:
            number, function = job
            try:
                state.results[number] = await function()
            except Exception as error:
                state.stop()
                state.errors.append(error)

    workers = min(limit, len(jobs))
    if workers < 2:
        await work()
    elif running_trio() is not None:
        await _work_in_trio(work, workers)
    else:
        await _work_in_asyncio(work, workers)
    return state.end()


async def _work_in_trio(work: Callable[[], Awaitable[None]], workers: int) -> None:
    async with running_trio().open_nursery() as nursery:
        for _ in range(workers):
            nursery.start_soon(work)


async def _work_in_asyncio(work: Callable[[], Any], workers: int) -> None:
    import asyncio

    tasks = [asyncio.ensure_future(work()) for _ in range(workers)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # none outlives the cancelled runner
