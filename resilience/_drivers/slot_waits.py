"""Waits for a slot: a thread by a lock, a task by a future or an event of its loop."""

from __future__ import annotations

from threading import Lock

from .._core.call.attempt_gate import AttemptGate
from .system_clock import running_trio

__all__ = ["park_async", "park_sync"]


def park_sync(gate: AttemptGate, seconds: float) -> None:
    """Block this thread until the gate may be asked again, at most for `seconds`."""
    woken = Lock()  # not an `Event`: a signal handler of this thread may be who wakes it
    woken.acquire()
    if gate.join_queue(woken.release):
        woken.acquire(timeout=seconds)


async def park_async(gate: AttemptGate, seconds: float) -> None:
    """Wait until the gate may be asked again, at most for `seconds`, while other tasks run."""
    await (_park_trio if running_trio() is not None else _park_asyncio)(gate, seconds)


async def _park_asyncio(gate: AttemptGate, seconds: float) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    woken = loop.create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    # The slot may be released by another thread, which must not touch this loop's futures itself.
    if gate.join_queue(lambda: loop.call_soon_threadsafe(wake)):
        await asyncio.wait((woken,), timeout=seconds)


async def _park_trio(gate: AttemptGate, seconds: float) -> None:
    trio = running_trio()
    woken, token = trio.Event(), trio.lowlevel.current_trio_token()
    if gate.join_queue(lambda: token.run_sync_soon(woken.set)):
        with trio.move_on_after(seconds):
            await woken.wait()
