"""Makes several runs at once, each in its own process, because a run keeps one processor busy.

If a process dies, its run is made in this process instead.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from .policy_comparison import Job, Run, run_job

__all__ = ["run_jobs"]

_MIN_REQUESTS = 30_000  # over all jobs; with fewer, starting processes takes longer than it saves


def run_jobs(
    jobs: Sequence[Job], tick: Callable[[], None] = lambda: None, *, processes: int | None = None
) -> list[Run]:
    """Make the runs and return them in the order of the jobs.

    Args:
        jobs: what to run.
        tick: called in this thread once per virtual second of each run.
        processes: how many at once; None takes the number of processors, or 1 if the runs are small.
    """
    if getattr(sys, "frozen", False):
        processes = 1  # a new process of a frozen program may run the program again, from its first line
    elif processes is None:
        small = sum(job.scenario.requests for job in jobs) < _MIN_REQUESTS
        processes = 1 if small else min(len(jobs), _processors())
    finished = {} if processes < 2 or len(jobs) < 2 else _run_in_processes(jobs, tick, processes)
    return [finished[index] if index in finished else run_job(job, tick) for index, job in enumerate(jobs)]


def _run_in_processes(jobs: Sequence[Job], tick: Callable[[], None], processes: int) -> dict[int, Run]:
    """Return the runs by the number of the job, without those whose process failed."""
    finished: dict[int, Run] = {}
    waiting = list(enumerate(jobs))
    running: dict[Connection, tuple[int, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                index, job = waiting.pop(0)
                connection, process = _start(job)
                running[connection] = index, process
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                _receive(ready, running, finished, tick)
    finally:
        for _, process in running.values():
            process.terminate()
        for connection, (_, process) in running.items():
            process.join()
            connection.close()
    return finished


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(job: Job) -> tuple[Connection, Any]:
    context = get_context("spawn")  # a fork would copy locks that other threads hold
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, job), daemon=True)
    with _interrupts_held():
        process.start()
    sender.close()
    return receiver, process


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Block SIGINT while a process starts. The child inherits the blocked mask, so Ctrl-C reaches only this process."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # started by the first process otherwise, and it unblocks SIGINT when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _receive(
    connection: Connection,
    running: dict[Connection, tuple[int, Any]],
    finished: dict[int, Run],
    tick: Callable[[], None],
) -> None:
    """Take one message of a process: None is a virtual second, a run is its result. A closed pipe is a dead process."""
    index, process = running[connection]
    try:
        message = connection.recv()
    except EOFError:
        message = False
    if message is None:
        tick()
        return
    if isinstance(message, Run):
        finished[index] = message
    del running[connection]
    process.join()
    connection.close()


def _work(connection: Connection, job: Job) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for systems without signal masks
    try:
        connection.send(run_job(job, lambda: connection.send(None)))
    except BrokenPipeError:
        pass  # the parent has ended
    finally:
        connection.close()
