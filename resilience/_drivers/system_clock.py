"""Provides the machine's clock: monotonic time, Unix time, and waits in threads, asyncio or trio.

asyncio is imported by the first wait that needs it, and trio never: it is used where the program has imported it.
"""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, ClassVar

__all__ = ["SystemClock", "checkpoint", "running_trio"]


def _monotonic() -> Callable[[], float]:
    """Return the monotonic clock that also runs while the machine sleeps (Linux, macOS), else Python's own.

    It is one call into C, as quick as `time.monotonic`.
    """
    try:
        # On macOS this clock counts sleep, and `time.monotonic` does not. On Linux it is the other way round.
        name = "CLOCK_MONOTONIC_RAW" if sys.platform == "darwin" else "CLOCK_BOOTTIME"
        clock = partial(time.clock_gettime, getattr(time, name))
        clock()
    except (AttributeError, OSError):  # another system, or a sandbox that forbids it
        return time.monotonic
    return clock


class SystemClock:
    """The machine's clock. Has no state, hence safe across threads and tasks."""

    __slots__ = ()

    skipping: ClassVar[int] = 0
    """While above 0, waits return at once; set by `resilience.testing.no_waits`."""

    # Seconds in which the machine slept count where the system tells them. Event loops have clocks of their own.
    monotonic = staticmethod(_monotonic())
    time = staticmethod(time.time)

    def sleep(self, seconds: float) -> None:
        """Block this thread for `seconds`; a delay of 0 or less does nothing."""
        if seconds > 0 and not SystemClock.skipping:
            time.sleep(seconds)

    def asleep(self, seconds: float) -> Coroutine[Any, Any, None]:
        """Wait `seconds` in the event loop that runs this task; a delay of 0 or less does nothing."""
        if seconds <= 0:
            return _nothing()
        if SystemClock.skipping:
            return checkpoint()
        trio = running_trio()
        if trio is not None:
            return trio.sleep(seconds)  # type: ignore[no-any-return]  # it has no types here
        from asyncio import sleep

        return sleep(seconds)


async def _nothing() -> None:
    """Let nobody else run."""


async def checkpoint() -> None:
    """Let other tasks run once, under asyncio or trio."""
    trio = running_trio()
    if trio is not None:
        await trio.lowlevel.checkpoint()
    else:
        await _pause()


def running_trio() -> Any:
    """Return the module trio if one of its tasks runs this, else None."""
    trio = sys.modules.get("trio")
    lowlevel = getattr(trio, "lowlevel", None)  # absent while another thread is still importing trio
    return trio if lowlevel is not None and lowlevel.in_trio_task() else None


@types.coroutine
def _pause() -> Generator[None, None, None]:
    yield  # what asyncio.sleep(0) does, without importing asyncio
