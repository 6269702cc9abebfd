"""Several runs at once, each in a process of its own: a run keeps one processor busy and waits for nothing.

A process that is lost takes no result with it: its run is made here instead.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from .real_run_comparison import Job, Run, run_job

__all__ = ["run_jobs"]

_SMALL = 30_000  # requests in all; fewer are made here, where no process must be started


def run_jobs(
    jobs: Sequence[Job], tick: Callable[[], None] = lambda: None, *, processes: int | None = None
) -> list[Run]:
    """Make the runs and return them in order; `tick` is called each virtual second of each.

    Args:
        jobs: what to run.
        tick: called in this thread.
        processes: how many at once; None takes as many as there are processors, and one where the runs are small.
    """
    if processes is None:
        small = sum(job.scenario.requests for job in jobs) < _SMALL
        processes = 1 if small else min(len(jobs), _processors())
    if processes < 2 or len(jobs) < 2:
        return [run_job(job, tick) for job in jobs]
    made: dict[int, Run] = {}
    waiting = list(enumerate(jobs))
    running: dict[Connection, tuple[int, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                place, job = waiting.pop(0)
                connection, process = _begun(job)
                running[connection] = place, process
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                _heard(ready, running, made, tick)
    finally:
        for _, process in running.values():
            process.terminate()
        for connection, (_, process) in running.items():
            process.join()
            connection.close()
    return [made[place] if place in made else run_job(job, tick) for place, job in enumerate(jobs)]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begun(job: Job) -> tuple[Connection, Any]:
    context = get_context("spawn")  # a fork would copy locks that other threads hold
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(there, job), daemon=True)
    with _interrupts_held():
        process.start()
    there.close()
    return here, process


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold a Ctrl-C back until this is over: what is begun meanwhile never gets one, it is the parent's affair."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # multiprocessing's own process: beginning it lets interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _heard(
    connection: Connection, running: dict[Connection, tuple[int, Any]], made: dict[int, Run], tick: Callable[[], None]
) -> None:
    """Take one message: None is a second, a run is the end."""
    place, process = running[connection]
    try:
        message = connection.recv()
    except EOFError:
        message = False
    if message is None:
        tick()
        return
    if isinstance(message, Run):
        made[place] = message
    del running[connection]
    process.join()
    connection.close()


def _work(connection: Connection, job: Job) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be held back
    try:
        connection.send(run_job(job, lambda: connection.send(None)))
    except BrokenPipeError:
        pass  # nobody listens any more
    finally:
        connection.close()
