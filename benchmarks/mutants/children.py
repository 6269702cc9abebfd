"""Runs work in forked children, a few at a time, each in a session of its own and never for longer than it may."""

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

__all__ = ["KILLED", "SURVIVED", "allow", "run"]

SURVIVED, KILLED, LATE = 0, 1, 2
_ROOM = 3 << 30


def run(
    works: Iterable[Callable[[Callable[[str], None]], int]], jobs: int, done: Callable[[int, int, str], None]
) -> None:
    """Run every work in a child; `done` hears its number, how it ended, and what it told."""
    living: dict[int, tuple[int, Path]] = {}
    try:
        for number, work in enumerate(works):
            if len(living) >= jobs:
                _reap(living, done)
            scratch = Path(tempfile.mkdtemp(prefix="mutant-"))
            pid = os.fork()
            if pid == 0:
                _child(work, scratch)
            living[pid] = (number, scratch)
        while living:
            _reap(living, done)
    finally:
        for pid in living:
            with suppress(OSError):
                os.killpg(pid, signal.SIGKILL)


def allow(seconds: float) -> None:
    """Give the child this long until it allows itself more, or dies; a mistake that loops for ever is seen so."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _reap(living: dict[int, tuple[int, Path]], done: Callable[[int, int, str], None]) -> None:
    pid, status = os.wait()
    number, scratch = living.pop(pid)
    with suppress(OSError):
        os.killpg(pid, signal.SIGKILL)  # what its tests had started
    told = scratch / "told"
    text = told.read_text() if told.exists() else ""
    shutil.rmtree(scratch, ignore_errors=True)
    code = os.waitstatus_to_exitcode(status)
    late = code == -signal.SIGALRM
    done(number, LATE if late else code if code in (SURVIVED, KILLED) else KILLED, text)


def _child(work: Callable[[Callable[[str], None]], int], scratch: Path) -> NoReturn:
    code = KILLED
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(scratch)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (_ROOM, _ROOM))
        code = work(lambda text: scratch.joinpath("told").write_text(text) and None)
    finally:
        os._exit(code)
