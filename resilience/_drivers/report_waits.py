"""Waits for the next step of a call; a stream that reports the call's uncertain write ends the wait for its lookup."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from threading import Lock

from .._core.base.clock import Clock
from .._core.call.open_writes import OpenWriteHandle
from .._core.call.recovery import Recovery
from .system_clock import SystemClock, running_trio

__all__ = ["pause_async", "pause_sync"]


def pause_sync(clock: Clock, recovery: Recovery, seconds: float) -> None:
    """Block this thread for `seconds`, or until a stream reports the write."""
    write = _watched(clock, recovery)
    if write is None:
        clock.sleep(seconds)
        return
    woken = Lock()  # not an `Event`: a signal handler of this thread may be who reports the write
    woken.acquire()

    def wake() -> None:
        with suppress(RuntimeError):  # it was reported before
            woken.release()

    write.wake.append(wake)
    try:
        if not write.has_news:  # asked after `wake` is in place, so that no report is missed
            woken.acquire(timeout=max(0.0, seconds))
    finally:
        write.wake.remove(wake)


def pause_async(clock: Clock, recovery: Recovery, seconds: float) -> Awaitable[None]:
    """Wait `seconds` while other tasks run, or until a stream reports the write.

    What is awaited is returned, not awaited here: each coroutine around a wait takes a quarter of a kilobyte.
    """
    write = _watched(clock, recovery)
    if write is None:
        return clock.asleep(seconds)
    return (_pause_trio if running_trio() is not None else _pause_asyncio)(write, seconds)


def _watched(clock: Clock, recovery: Recovery) -> OpenWriteHandle | None:
    """Return the write to watch; None where the clock is not the machine's: its waits do not take their time."""
    is_real = clock.__class__ is SystemClock and not SystemClock.skipping
    return recovery.watch_reports() if is_real else None


async def _pause_asyncio(write: OpenWriteHandle, seconds: float) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    woken = loop.create_future()

    def set_woken() -> None:
        if not woken.done():
            woken.set_result(None)

    def wake() -> None:
        loop.call_soon_threadsafe(set_woken)  # the stream may run in another thread, which must not touch the future

    write.wake.append(wake)
    try:
        if not write.has_news:
            await asyncio.wait((woken,), timeout=seconds)
    finally:
        write.wake.remove(wake)


async def _pause_trio(write: OpenWriteHandle, seconds: float) -> None:
    trio = running_trio()
    woken, token = trio.Event(), trio.lowlevel.current_trio_token()

    def wake() -> None:
        token.run_sync_soon(woken.set)

    write.wake.append(wake)
    try:
        if not write.has_news:
            with trio.move_on_after(seconds):
                await woken.wait()
    finally:
        write.wake.remove(wake)
