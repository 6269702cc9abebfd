"""The real clock: monotonic time, Unix time, and waiting under threads, asyncio or trio.

Nothing is imported for waiting until somebody waits: a program that uses neither asyncio nor trio
pays for neither. A delay of 0 or less is not slept.
"""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Generator
from typing import Any, ClassVar

__all__ = ["SystemClock", "checkpoint", "running_trio"]


class SystemClock:
    """The machine's own time. Safe across threads and tasks; it has no state of its own."""

    __slots__ = ()

    skipping: ClassVar[int] = 0
    """While above 0, waits return at once; `resilience.testing.no_waits` counts it up and down."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

    def sleep(self, seconds: float) -> None:
        """Block this thread for `seconds`."""
        if seconds > 0 and not SystemClock.skipping:
            time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait `seconds` under the event loop that runs this task."""
        if seconds <= 0:
            return
        if SystemClock.skipping:
            await checkpoint()
            return
        trio = running_trio()
        if trio is not None:
            await trio.sleep(seconds)
        else:
            from asyncio import sleep

            await sleep(seconds)


async def checkpoint() -> None:
    """Let other tasks run once, under trio or asyncio."""
    trio = running_trio()
    if trio is not None:
        await trio.lowlevel.checkpoint()
    else:
        await _pause()


def running_trio() -> Any:
    """Return trio if this code runs in one of its tasks; a program without trio never imports it."""
    trio = sys.modules.get("trio")
    lowlevel = getattr(trio, "lowlevel", None)  # absent while another thread is still importing trio
    return trio if lowlevel is not None and lowlevel.in_trio_task() else None


@types.coroutine
def _pause() -> Generator[None, None, None]:
    yield  # what asyncio.sleep(0) does, without importing asyncio
