"""Waits in an event loop for what another thread does, while other tasks run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .system_clock import running_trio

__all__ = ["wait_for_thread"]

Register = Callable[[Callable[[], None]], None]
"""Takes the function that the other thread calls at the end; calls it at once where that has been."""


async def wait_for_thread(register: Register) -> BaseException | None:
    """Wait until the function given to `register` is called, by any thread.

    What the other thread does cannot be taken back, so that a cancellation waits too: what was done is known then.

    Returns:
        The cancellation that arrived meanwhile, which the caller has to raise; None for none.
    """
    return await (_wait_asyncio if running_trio() is None else _wait_trio)(register)


async def _wait_asyncio(register: Register) -> BaseException | None:
    import asyncio

    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def set_done() -> None:
        if not done.done():
            done.set_result(None)

    def wake() -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(set_done)

    register(wake)
    cancellation: BaseException | None = None
    while not done.done():
        try:
            await asyncio.wait((done,))  # leaves the future alone when this task is cancelled
        except asyncio.CancelledError as error:
            cancellation = error
    return cancellation


async def _wait_trio(register: Register) -> BaseException | None:
    trio: Any = running_trio()
    done, token = trio.Event(), trio.lowlevel.current_trio_token()

    def wake() -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(done.set)

    register(wake)
    with trio.CancelScope(shield=True):
        await done.wait()
    try:
        await trio.lowlevel.checkpoint_if_cancelled()
    except trio.Cancelled as cancellation:
        return cancellation  # type: ignore[no-any-return]  # trio is not imported here
    return None
