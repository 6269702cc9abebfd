"""Runs jobs in forked children, a few at a time, each in a session of its own and with a time limit."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

__all__ = ["KILLED", "SURVIVED", "TIMED_OUT", "Job", "Report", "limit_time", "run_jobs"]

SURVIVED, KILLED, TIMED_OUT = 0, 1, 2
MAX_MEMORY = 3 << 30  # bytes: a mutant that allocates without end must not take the machine with it
Report = Callable[[str], None]
"""Keeps a text of the child for the parent; a later one replaces it."""
Job = Callable[[Report], int]
"""Runs in a child and returns `SURVIVED` or `KILLED`."""


def run_jobs(jobs: Iterable[Job], parallel: int, done: Callable[[int, int, str], None]) -> None:
    """Run every job in a child and call `done` with its number, its result, and its last report."""
    running: dict[int, tuple[int, Path]] = {}
    try:
        for number, job in enumerate(jobs):
            if len(running) >= parallel:
                _wait_for_one(running, done)
            scratch = Path(tempfile.mkdtemp(prefix="mutant-"))
            pid = os.fork()
            if pid == 0:
                _run_child(job, scratch)
            running[pid] = (number, scratch)
        while running:
            _wait_for_one(running, done)
    finally:
        for pid in running:
            with suppress(OSError):
                os.killpg(pid, signal.SIGKILL)


def limit_time(seconds: float) -> None:
    """Kill this child after so many seconds, unless it is called again before: a mutant may loop for ever."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _wait_for_one(running: dict[int, tuple[int, Path]], done: Callable[[int, int, str], None]) -> None:
    pid, status = os.wait()
    number, scratch = running.pop(pid)
    with suppress(OSError):
        os.killpg(pid, signal.SIGKILL)  # processes that its tests have started
    report = scratch / "report"
    text = report.read_text() if report.exists() else ""
    shutil.rmtree(scratch, ignore_errors=True)
    code = os.waitstatus_to_exitcode(status)
    timed_out = code == -signal.SIGALRM
    done(number, TIMED_OUT if timed_out else code if code in (SURVIVED, KILLED) else KILLED, text)


def _run_child(job: Job, scratch: Path) -> NoReturn:
    code = KILLED
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(scratch)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
        code = job(lambda text: scratch.joinpath("report").write_text(text) and None)
    finally:
        os._exit(code)  # without the exit handlers of the parent, which was forked in the middle of pytest
